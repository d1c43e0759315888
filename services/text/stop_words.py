"""Words that carry grammar rather than subject matter.

The English list is the small classical kind (articles, pronouns, prepositions,
conjunctions, auxiliaries, question words), about 150 words. The long lists in circulation
(stopwordsiso has 1,298 for English) contain "home", "work", "want" or "system", which
people do ask for. Negations are in: that two texts both say "not" tells nothing about what
they are about. "May" is out: it is a month.

Words are lower case and without apostrophes, as `services.text.terms` sees them.
"""

_ENGLISH = """
a an the
i me my mine myself we us our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself they them their theirs themselves
this that these those who whom whose which what when where why how
am is are was were be been being have has had having do does did doing done
will would shall should can could might must cannot
and or but if nor so than then because while until although though
of at by for with about against between into through during before after above below
to from up down in out on off over under onto upon within without
again further once here there all any both each few more most other some such
no not only own same too very just also as
im ive id youre youve youd youll hes shes theyre theyve weve
dont doesnt didnt isnt arent wasnt werent hasnt havent hadnt wouldnt couldnt shouldnt mustnt aint
"""

_RUSSIAN = """
и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне
было вот от меня еще нет о из ему ли если или быть был него до вас нибудь уж вам ведь там потом
себя ничего ей они тут где есть надо ней для мы тебя их чем была сам чтоб без чего тоже себе под
будет ж тогда кто этот того потому этого какой ним здесь этом один мой тем чтобы нее были куда
зачем при об это эта эти
"""

STOP_WORDS = frozenset(_ENGLISH.split()) | frozenset(_RUSSIAN.split())
