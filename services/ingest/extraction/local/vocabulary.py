"""Words that are only words: never a person, never what a sentence is about."""

import stopwordsiso

from services.ingest.extraction.local.lexicon import words

# The list's entries of English, as it comes with the package (no network).
FUNCTION_WORDS = frozenset(stopwordsiso.stopwords("en")) - words(
    "anthropic computer home information research system used work works working uk us use mil sr"
)

# What people begin sentences with, or write with a capital, without naming anybody.
COMMON = (
    words("""
absolutely amazing anyone awesome bike birthday bless bravo breathe bro buddy business cats cheers
christmas congrats congratulations cool crazy dad daddy dance dear definitely dog dogs dude easter
everybody everyone everything exactly excited family fantastic feeling fun glad god good gonna
gosh grandma grandpa granny great guys haha halloween happy hey hi hmm home hope hopefully hugs
interesting internet just kids kinda let life lol looking lots love lovely luckily mom mommy money
morning mum music nature nice nobody nothing oh okay omg painting people perfect photo please
progress really sadly seeing seems seriously so someone sorry sounds super sure take teamwork
thank thanks thanksgiving that there they this those today tomorrow totally true truly tv
unfortunately wait wanna welcome well whoa woah woohoo wonderful work working wow writing yay yeah
year yep yes yesterday yoga yum always answer remember remind todo note call actually also
currently recently lately meta target snap visa slack zoom shell oracle apple
""")
    | FUNCTION_WORDS
)

# "I love the beach" is a taste; "I love the colors" is about a picture just shown.
TASTES_WITH_THE = words("""
beach outdoors ocean sea mountains city countryside rain snow sun water forest woods cold heat
winter summer spring fall autumn piano guitar violin drums theater theatre arts opera cinema gym
blues lake desert holidays internet
""")
