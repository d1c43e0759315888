"""The English words that name a feeling: what "I am" and "I feel" may be followed by to mean one.

VADER rates many more words ("easily", "lost", "sure"), most of which name none. Whether a feeling
is pleasant, and how strong it is, is still VADER's to say: a test sees that it rates each of them.
"""

from services.ingest.extraction.local.lexicon import words

FEELINGS = words("""
aggravated agitated alarmed amazed amused angered angry anguished annoyed antagonized anxious
apathetic appalled appreciative ashamed astonished astounded blessed bored bothered calm cheerful
cheery comforted confident confused contented crestfallen crushed dejected delighted depressed
despairing desperate despondent devastated disappointed discontented discouraged disgusted
disheartened disillusioned dismayed displeased dissatisfied distraught distressed disturbed
downcast downhearted drained eager ecstatic elated embarrassed encouraged energized enraged
enthusiastic enthused envious euphoric exasperated excited exhausted exhilarated fatigued fearful
flattered flustered frantic frightened frustrated fulfilled furious glad gleeful grateful
gratified grieved guilty happy happier heartbroken helpless hesitant hopeful hopeless horrified
humiliated hurt impatient impressed incensed indignant infuriated insecure inspired intimidated
irate irritated isolated jealous joyful joyous jubilant lonely lonesome loved mad melancholy
miserable moody motivated mournful nervous numbed optimistic outraged overjoyed panicked panicky
peaceful perturbed pessimistic petrified pissed pleased proud regretful relaxed relieved reluctant
remorseful resentful restless sad saddened satisfied scared serene shocked sorrowful
stressed surprised suspicious tense tensed terrified thankful thrilled tired traumatized troubled
uncomfortable uneasy unhappy unmotivated unsettled upset vulnerable weary worried
""")
# What one may only feel ("I felt great"), and otherwise be without any feeling ("I was sick").
QUALITIES = words("""
alone amazing awesome awful bad better dreadful excellent fantastic good great horrible
lost lousy lovely rotten safe sick terrible wonderful worse worthless
""")
