"""Names that are known: places, languages, organisations, given names, things one owns or can do.

Short on purpose. It decides between a person and a place and reads names written in lower case;
names it does not hold are recognised by how they are used.
"""

from services.ingest.extraction.local.lexicon import phrases

PLACES = phrases("""
afghanistan, albania, algeria, argentina, armenia, australia, austria, azerbaijan, bahrain,
bangladesh, belarus, belgium, bolivia, bosnia, botswana, brazil, bulgaria, cambodia, cameroon,
canada, chile, china, colombia, costa rica, croatia, cuba, cyprus, czech republic, czechia, denmark,
dominican republic, ecuador, egypt, el salvador, england, estonia, ethiopia, fiji, finland, france,
germany, ghana, great britain, greece, guatemala, haiti, honduras, hungary, iceland, india,
indonesia, iran, iraq, ireland, israel, italy, ivory coast, jamaica, japan, kazakhstan, kenya,
kosovo, kuwait, laos, latvia, lebanon, libya, lithuania, luxembourg, madagascar, malaysia, malta,
mexico, moldova, mongolia, montenegro, morocco, mozambique, myanmar, namibia, nepal, netherlands,
new zealand, nicaragua, nigeria, north korea, north macedonia, northern ireland, norway, oman,
pakistan, palestine, panama, paraguay, peru, philippines, poland, portugal, puerto rico, qatar,
romania, russia, rwanda, saudi arabia, scotland, senegal, serbia, singapore, slovakia, slovenia,
somalia, south africa, south korea, korea, spain, sri lanka, sudan, sweden, switzerland, syria,
taiwan, tanzania, thailand, tunisia, turkey, uganda, ukraine, united arab emirates, uae,
united kingdom, uk, united states, usa, uruguay, uzbekistan, venezuela, vietnam, wales, yemen,
zambia, zimbabwe, europe, asia, africa, south america, north america, latin america, antarctica,
alabama, alaska, arizona, arkansas, california, colorado, connecticut, delaware, florida, hawaii,
idaho, illinois, indiana, iowa, kansas, kentucky, louisiana, maine, maryland, massachusetts,
michigan, minnesota, mississippi, missouri, montana, nebraska, nevada, new hampshire, new jersey,
new mexico, new york, north carolina, north dakota, ohio, oklahoma, oregon, pennsylvania,
rhode island, south carolina, south dakota, tennessee, texas, utah, vermont, washington,
west virginia, wisconsin, wyoming, ontario, quebec, british columbia, alberta, manitoba,
nova scotia, bavaria, catalonia, tuscany, sicily, bali, new south wales, queensland,
aberdeen, abu dhabi, accra, addis ababa, adelaide, amsterdam, ankara, antwerp, athens, atlanta,
auckland, austin, baghdad, baltimore, bangalore, bengaluru, bangkok, barcelona, basel, beijing,
beirut, belfast, belgrade, bergen, berkeley, berlin, bern, birmingham, bogota, bologna, bordeaux,
boston, boulder, brasilia, bratislava, brighton, brisbane, bristol, brooklyn, brussels, bucharest,
budapest, buenos aires, buffalo, cairo, calgary, cambridge, canberra, cape town, caracas, cardiff,
casablanca, chennai, chicago, cincinnati, cleveland, cologne, colombo, copenhagen, cork, dakar,
dallas, damascus, delhi, denver, detroit, dhaka, doha, dortmund, dresden, dubai, dublin, durban,
dusseldorf, düsseldorf, edinburgh, edmonton, eindhoven, frankfurt, galway, gdansk, geneva, genoa,
ghent, glasgow, gothenburg, granada, graz, guangzhou, halifax, hamburg, hangzhou, hanoi, havana,
helsinki, ho chi minh city, hong kong, honolulu, houston, hyderabad, indianapolis, istanbul,
jakarta, jerusalem, johannesburg, kabul, kansas city, karachi, kathmandu, kiev, kyiv, kolkata,
krakow, kraków, kuala lumpur, kyoto, lagos, lahore, las vegas, leeds, leipzig, lima, lisbon,
liverpool, ljubljana, london, los angeles, lucerne, lyon, macau, madrid, malaga, manchester,
manhattan, manila, marrakech, marseille, melbourne, memphis, mexico city, miami, milan, milwaukee,
minneapolis, montevideo, montreal, moscow, mumbai, munich, nagoya, nairobi, naples, nashville,
new delhi, new orleans, new york city, nyc, newcastle, nice, nottingham, oakland, oklahoma city,
omaha, orlando, osaka, oslo, ottawa, oxford, palo alto, paris, perth, philadelphia, phoenix,
pittsburgh, portland, porto, prague, pune, quito, reykjavik, richmond, riga, rio de janeiro, rio,
riyadh, rome, rotterdam, sacramento, saint petersburg, salt lake city, salzburg, san antonio,
san diego, san francisco, san jose, santa barbara, santa fe, santiago, sao paulo, são paulo,
sarajevo, seattle, seoul, seville, shanghai, sheffield, shenzhen, sofia, st louis, st petersburg,
stockholm, stuttgart, sydney, taipei, tallinn, tampa, tbilisi, tehran, tel aviv, the hague, tokyo,
toronto, toulouse, tucson, tulsa, tunis, turin, utrecht, valencia, vancouver, venice, vienna,
vilnius, warsaw, washington dc, wellington, winnipeg, wuhan, yokohama, york, zagreb, zurich, zürich
""")

ORGANIZATIONS = phrases("""
google, apple, microsoft, amazon, aws, facebook, meta, netflix, tesla, spacex, nvidia, intel, amd,
ibm, oracle, sap, siemens, bosch, samsung, sony, nintendo, toyota, honda, bmw, volkswagen, audi,
daimler, mercedes, porsche, ford, boeing, airbus, nasa, esa, cern, openai, anthropic, deepmind,
hugging face, stripe, airbnb, uber, lyft, spotify, shopify, salesforce, adobe, twitter, linkedin,
github, gitlab, atlassian, dropbox, slack, zoom, palantir, databricks, snowflake, cloudflare,
vercel, datadog, elastic, mongodb, reddit, pinterest, snap, tiktok, bytedance, tencent, alibaba,
baidu, huawei, xiaomi, deloitte, accenture, mckinsey, bcg, pwc, kpmg, jpmorgan, goldman sachs,
morgan stanley, citibank, hsbc, barclays, deutsche bank, ubs, visa, mastercard, paypal, walmart,
target, costco, ikea, starbucks, mcdonald's, door dash, doordash, nike, adidas, pfizer, moderna,
novartis, roche, bayer, basf, philips, nokia, ericsson, cisco, dell, hp, lenovo, qualcomm, asml,
tsmc, red cross, red hat, unicef, united nations, who, greenpeace, mit, stanford, harvard, yale,
princeton, caltech, ucla, uc berkeley, nyu, eth zurich, eth, epfl, oxford, cambridge, tu munich
""")

SCHOOLS = phrases("""
mit, stanford, harvard, yale, princeton, caltech, ucla, uc berkeley, nyu, eth zurich, eth, epfl,
oxford, cambridge, tu munich, columbia, cornell, berkeley, duke, georgia tech, carnegie mellon
""")

LANGUAGES = phrases("""
english, spanish, french, german, italian, portuguese, dutch, swedish, norwegian, danish, finnish,
icelandic, polish, czech, slovak, hungarian, romanian, bulgarian, greek, turkish, russian,
ukrainian, serbian, croatian, bosnian, slovenian, albanian, estonian, latvian, lithuanian, irish,
welsh, gaelic, catalan, basque, galician, arabic, hebrew, persian, farsi, urdu, hindi, punjabi,
bengali, tamil, telugu, marathi, gujarati, kannada, malayalam, nepali, sinhala, thai, lao, khmer,
burmese, vietnamese, indonesian, malay, tagalog, filipino, mandarin, cantonese, chinese, japanese,
korean, mongolian, tibetan, swahili, amharic, yoruba, igbo, hausa, zulu, xhosa, afrikaans, somali,
latin, esperanto, sign language, american sign language, asl
""")

SKILLS = phrases("""
python, java, javascript, typescript, rust, golang, c++, c#, kotlin, swift, scala, haskell, elixir,
ruby, php, perl, matlab, sql, html, css, react, angular, vue, django, flask, kubernetes, docker,
terraform, excel, photoshop, figma, pytorch, tensorflow, julia, fortran, cobol, lua, bash
""")

INSTRUMENTS = phrases("""
piano, guitar, violin, viola, cello, drums, bass, bass guitar, flute, clarinet, saxophone, trumpet,
trombone, harp, ukulele, banjo, mandolin, harmonica, accordion, oboe, keyboard, electric guitar
""")

GAMES = phrases("""
tennis, football, soccer, basketball, baseball, volleyball, golf, hockey, ice hockey, rugby,
cricket, badminton, squash, table tennis, ping pong, chess, poker, bridge, video games, board games,
card games, darts, billiards, pool, lacrosse, handball, water polo, ultimate frisbee, pickleball
""")

GIVEN_NAMES = phrases("""
aaron, abby, abigail, adam, adele, adrian, ahmed, aiden, aisha, alan, albert, alejandro, alex,
alexa, alexander, alexandra, alexis, alfred, ali, alice, alicia, alina, alison, allison, amanda,
amelia, amir, amy, ana, anastasia, andre, andrea, andreas, andrew, andy, angela, angelina, anika,
anita, anna, anne, annie, anthony, antonio, anya, ariana, arjun, arthur, asha, ashley, astrid,
audrey, ava, barbara, beatrice, becky, bella, ben, benjamin, bernard, beth, betty, bianca, bob,
bobby, brad, bradley, brandon, brenda, brian, bruno, bryan, calvin, camila, camille, cameron, carl,
carla, carlos, carmen, carol, caroline, carolyn, catherine, cathy, cecilia, charles, charlie,
charlotte, chloe, chris, christian, christina, christine, christopher, cindy, claire, clara,
claudia, clive, cody, colin, connor, craig, cynthia, dan, dana, daniel, daniela, danny, dave, david,
deborah, debra, dennis, derek, diana, diane, diego, dmitri, donald, donna, doris, dorothy, doug,
douglas, dylan, eddie, edith, eduardo, edward, elaine, elena, eli, elias, elijah, elisa, elizabeth,
ella, ellen, elsa, emil, emily, emma, eric, erica, erik, erin, ethan, eugene, eva, evan, evelyn,
fatima, felix, fernando, fiona, francesca, francis, francisco, frank, franz, fred, frida, gabriel,
gabriela, gary, gemma, george, georgia, gerald, gina, giulia, gloria, greg, gregory, greta, gustav,
hana, hank, hannah, hans, harold, harry, harriet, hassan, heather, heidi, helen, helena, henrik,
henry, hiroshi, howard, hugo, ian, ibrahim, ida, igor, ines, ingrid, irene, iris, isaac, isabel,
isabella, isla, ivan, jack, jackie, jacob, jade, jake, james, jamie, jan, jane, janet, jasmine,
jason, javier, jean, jeff, jeffrey, jenna, jennifer, jenny, jeremy, jerry, jesse, jessica, jill,
jim, jimmy, joan, joanna, joe, joel, johan, john, johnny, jolene, jon, jonas, jonathan, jorge, jose,
joseph, josh, joshua, joyce, juan, judith, judy, julia, julian, juliana, julie, juliet, justin,
kai, karen, karin, karl, kate, katherine, kathleen, kathy, katie, katrina, kayla, keith, kelly, ken,
kenji, kenneth, kevin, kim, kimberly, klaus, kristen, kristina, kumar, kyle, lara, larry, lars,
laura, lauren, lea, leah, lee, lena, leo, leon, leonard, liam, lily, linda, lisa, logan, lorenzo,
louis, louise, luca, lucas, lucia, lucy, luis, lukas, luke, luna, lydia, lynn, madison, maggie,
marc, marco, marcus, margaret, maria, marie, marina, mario, marion, mark, markus, marta, martha,
martin, mary, mateo, matt, matthew, maya, megan, mei, mel, melanie, melissa, mia, michael, michelle,
miguel, mike, mila, milan, miriam, mohamed, mohammed, molly, monica, muhammad, nadia, nancy, naomi,
natalia, natalie, natasha, nate, nathan, neha, neil, nicholas, nick, nicolas, nicole, nigel, nikita,
nina, noah, nora, oliver, olivia, omar, oscar, otto, owen, pablo, pamela, patricia, patrick, paul,
paula, pedro, penelope, peter, petra, phil, philip, phoebe, pierre, priya, rachel, rafael, rahul,
raj, ralph, ravi, raymond, rebecca, renata, ricardo, richard, rita, rob, robert, roberto, robin,
rodrigo, roger, roland, ron, ronald, rosa, rose, ross, roy, russell, ruth, ryan, sam, samantha,
samuel, sandra, sandy, sanjay, sara, sarah, sasha, scott, sean, sebastian, sergei, shannon, sharon,
shirley, silvia, simon, simone, sofia, sonia, sophia, sophie, stefan, stella, stephanie, stephen,
steve, steven, stuart, susan, svetlana, sven, sylvia, tamara, tanya, tara, taylor, teresa, thea,
theo, theodore, theresa, thomas, tiffany, tim, timothy, tina, todd, tom, tommy, tony, tracy, troy,
tyler, valentina, valerie, vanessa, vera, veronica, vicky, victor, victoria, viktor, vincent,
viola, virginia, vivian, vladimir, walter, wang, wei, wendy, will, william, xavier, yara, yasmin,
yuki, yusuf, yvonne, zach, zachary, zara, zoe, deb, deborah, jolie, evan, audrey, tobias
""")

# A name is not a person when it is only the word the sentence begins with.
AMBIGUOUS_NAMES = phrases("will, mark, rose, grace, hope, joy, faith, may, june, april, art, bill")

OWNED = phrases("""
dog, dogs, puppy, cat, cats, kitten, kitty, hamster, rabbit, bunny, parrot, bird, snake, lizard,
gecko, turtle, turtles, tortoise, guinea pig, guinea pigs, fish, goldfish, ferret, horse, pony,
chickens, goat, car, truck, van, motorcycle, motorbike, bike, bicycle, scooter, boat, house, home,
apartment, flat, condo, cabin, cottage, farm, piano, guitar, violin, drum kit, camera, telescope,
drone, laptop, tablet, phone, console, 3d printer, tent, surfboard, kayak, company, business,
restaurant, cafe, shop, store, bakery, studio, dance studio, gym, bookstore, franchise
""")
PETS = phrases("""
dog, dogs, puppy, pup, puppies, cat, cats, kitten, kitty, hamster, rabbit, bunny, parrot, bird,
snake, lizard, gecko, turtle, turtles, tortoise, guinea pig, guinea pigs, fish, goldfish, ferret,
horse, pony, pet, pets, doggo
""")
GATHERINGS = phrases("""
conference, concert, meetup, wedding, festival, workshop, party, support group, parade, class,
exhibition, exhibit, retreat, seminar, convention, ceremony, tournament, fair, gala, rally, meeting,
show, game, match, lecture, webinar, camp, fundraiser, reunion, funeral, graduation, celebration,
hackathon, summit, marathon, event, protest, march, service, recital, council meeting
""")
WORKPLACES = phrases("""
bank, school, hospital, company, startup, shop, store, cafe, café, restaurant, university, college,
lab, laboratory, agency, firm, law firm, clinic, library, museum, studio, hotel, factory, shelter,
gym, bakery, bookstore, bookshop, nonprofit, non-profit, charity, kindergarten, nursing home,
pharmacy, farm, brewery, bar, consultancy, newspaper, zoo, vet, warehouse, call center, airport
""")

OCCUPATIONS = phrases("""
accountant, actor, actress, actuary, administrator, analyst, architect, artist, astronaut,
astronomer, athlete, attorney, auditor, author, baker, banker, barber, barista, bartender,
biologist, blogger, bookkeeper, broker, builder, bus driver, butcher, carpenter, cashier, ceo, chef,
chemist, cto, cfo, cleaner, coach, comedian, composer, consultant, contractor, cook, counselor,
counsellor, curator, dancer, dentist, designer, detective, developer, dietitian, director, diver,
doctor, driver, economist, editor, electrician, engineer, entrepreneur, estate agent, farmer,
firefighter, florist, founder, freelancer, gardener, geologist, graphic designer, hairdresser,
historian, illustrator, instructor, interpreter, investor, janitor, jeweler, journalist, judge,
lawyer, lecturer, librarian, machinist, manager, marketer, mathematician, mechanic, midwife, model,
musician, nanny, nurse, nutritionist, office manager, officer, optician, painter, paralegal,
paramedic, pediatrician, pharmacist, philosopher, photographer, physician, physicist, pianist,
pilot, plumber, poet, police officer, politician, postman, principal, producer, professor,
programmer, project manager, product manager, psychiatrist, psychologist, psychotherapist, realtor,
receptionist, recruiter, researcher, sailor, salesperson, scientist, screenwriter, sculptor,
secretary, singer, social worker, soldier, statistician, student, surgeon, surveyor, tailor,
teacher, technician, therapist, trainer, translator, tutor, veterinarian, vet, vlogger, waiter,
waitress, web developer, welder, writer, yoga instructor, youtuber, zoologist, intern, apprentice
""")
