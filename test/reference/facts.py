"""Facts, phrasings and held-out split shared by the corpus generator and the evaluation.

Plain tables only. A fact is (relation, subject, answer); a phrasing is a prompt whose
next word is the answer. `heldout_phrasings` says which phrasings of a fact are kept out
of the corpus: every fact is seen in most phrasings, every phrasing is seen with most facts.
"""
from __future__ import annotations

import random
from typing import NamedTuple


class Fact(NamedTuple):
    relation: str
    subject: str
    answer: str


# country: capital, language, continent, currency ("-" where left out)
COUNTRIES = """
France Paris French Europe euro
Germany Berlin German Europe euro
Italy Rome Italian Europe euro
Spain Madrid Spanish Europe euro
Portugal Lisbon Portuguese Europe euro
England London English Europe pound
Ireland Dublin English Europe euro
Scotland Edinburgh English Europe pound
Greece Athens Greek Europe euro
Austria Vienna German Europe euro
Poland Warsaw Polish Europe zloty
Russia Moscow Russian Europe ruble
Norway Oslo Norwegian Europe krone
Sweden Stockholm Swedish Europe krona
Denmark Copenhagen Danish Europe krone
Finland Helsinki Finnish Europe euro
Hungary Budapest Hungarian Europe forint
Czechia Prague Czech Europe koruna
Holland Amsterdam Dutch Europe euro
Belgium Brussels - Europe euro
Switzerland Bern German Europe franc
Romania Bucharest Romanian Europe leu
Bulgaria Sofia Bulgarian Europe -
Serbia Belgrade Serbian Europe dinar
Croatia Zagreb Croatian Europe euro
Ukraine Kyiv Ukrainian Europe -
Turkey Ankara Turkish Asia lira
Japan Tokyo Japanese Asia yen
China Beijing Chinese Asia yuan
India Delhi Hindi Asia rupee
Nepal Kathmandu Nepali Asia rupee
Thailand Bangkok Thai Asia baht
Vietnam Hanoi Vietnamese Asia dong
Korea Seoul Korean Asia won
Iran Tehran Persian Asia rial
Iraq Baghdad Arabic Asia dinar
Syria Damascus Arabic Asia -
Egypt Cairo Arabic Africa pound
Morocco Rabat Arabic Africa dirham
Tunisia Tunis Arabic Africa dinar
Kenya Nairobi Swahili Africa shilling
Ghana Accra English Africa cedi
Nigeria Abuja English Africa naira
Senegal Dakar French Africa franc
Canada Ottawa - America dollar
Cuba Havana Spanish America peso
Peru Lima Spanish America sol
Chile Santiago Spanish America peso
Colombia Bogota Spanish America peso
Ecuador Quito Spanish America dollar
Brazil Brasilia Portuguese America real
Australia Canberra English Oceania dollar
"""

# further cities: country
CITIES = """
Barcelona Spain; Seville Spain; Sydney Australia; Melbourne Australia; Toronto Canada;
Istanbul Turkey; Milan Italy; Venice Italy; Florence Italy; Munich Germany; Hamburg Germany;
Mumbai India; Kyoto Japan; Osaka Japan; Shanghai China; Lyon France; Nice France; Porto Portugal;
Oxford England; Bergen Norway
"""

# landmark (without its article): city
LANDMARKS = """
Eiffel Tower: Paris; Louvre: Paris; Notre Dame cathedral: Paris; Moulin Rouge: Paris;
Colosseum: Rome; Trevi Fountain: Rome; Pantheon: Rome; Spanish Steps: Rome;
Tower Bridge: London; British Museum: London; Buckingham Palace: London; Big Ben clock: London;
Brandenburg Gate: Berlin; Reichstag: Berlin; Prado: Madrid; Royal Palace of the Bourbons: Madrid;
Parthenon: Athens; Acropolis: Athens; Kremlin: Moscow; Red Square: Moscow; Bolshoi Theatre: Moscow;
Charles Bridge: Prague; Astronomical Clock: Prague; Rijksmuseum: Amsterdam; Anne Frank House: Amsterdam;
Little Mermaid: Copenhagen; Tivoli Gardens: Copenhagen; Vasa Museum: Stockholm; Chain Bridge: Budapest;
Holmenkollen ski jump: Oslo; Atomium: Brussels; Grand Place: Brussels; Belem Tower: Lisbon;
Spanish Riding School: Vienna; Schonbrunn Palace: Vienna; Guinness brewery: Dublin; Trinity College: Dublin;
Sagrada Familia: Barcelona; Park Guell: Barcelona; Opera House with the white sails: Sydney; Harbour Bridge: Sydney;
CN Tower: Toronto; Hagia Sophia: Istanbul; Blue Mosque: Istanbul; Grand Bazaar: Istanbul;
Scala opera: Milan; Bridge of Sighs: Venice; Rialto Bridge: Venice; Uffizi: Florence; Ponte Vecchio: Florence;
Frauenkirche: Munich; Gateway of India: Mumbai; Skytree: Tokyo; Sensoji temple: Tokyo; Golden Pavilion: Kyoto;
Forbidden City: Beijing; Temple of Heaven: Beijing; Oriental Pearl Tower: Shanghai; Red Fort: Delhi;
Egyptian Museum: Cairo; Grand Palace of the king of Siam: Bangkok; Bodleian Library: Oxford;
Holyrood Palace: Edinburgh; Alcazar: Seville
"""

# person: profession, country of birth
PEOPLE = """
Albert Einstein: physicist Germany; Isaac Newton: physicist England; Niels Bohr: physicist Denmark;
Galileo Galilei: physicist Italy; Marie Curie: chemist Poland; Louis Pasteur: chemist France;
Alfred Nobel: chemist Sweden; Dmitri Mendeleev: chemist Russia; Wolfgang Mozart: composer Austria;
Ludwig van Beethoven: composer Germany; Sebastian Bach: composer Germany; Giuseppe Verdi: composer Italy;
Edvard Grieg: composer Norway; Jean Sibelius: composer Finland; Frederic Chopin: pianist Poland;
Franz Liszt: pianist Hungary; William Shakespeare: poet England; Homer: poet Greece; Dante Alighieri: poet Italy;
Pablo Neruda: poet Chile; Rabindranath Tagore: poet India; Leo Tolstoy: writer Russia;
Fyodor Dostoevsky: writer Russia; Jane Austen: writer England; Victor Hugo: writer France;
Miguel de Cervantes: writer Spain; Franz Kafka: writer Czechia; James Joyce: writer Ireland;
Hans Christian Andersen: writer Denmark; Astrid Lindgren: writer Sweden; Pablo Picasso: painter Spain;
Claude Monet: painter France; Vincent van Gogh: painter Holland; Rembrandt: painter Holland;
Leonardo da Vinci: painter Italy; Edvard Munch: painter Norway; Gustav Klimt: painter Austria;
Salvador Dali: painter Spain; Socrates: philosopher Greece; Plato: philosopher Greece;
Immanuel Kant: philosopher Germany; Rene Descartes: philosopher France; Confucius: philosopher China;
Ferdinand Magellan: sailor Portugal; Vasco da Gama: sailor Portugal; James Cook: sailor England;
Marco Polo: merchant Italy; Yuri Gagarin: pilot Russia; Mahatma Gandhi: lawyer India;
Akira Kurosawa: director Japan; Ingmar Bergman: director Sweden; Federico Fellini: director Italy;
Edith Piaf: singer France; Luciano Pavarotti: singer Italy
"""

HOMES = """
whale ocean; shark ocean; dolphin ocean; octopus ocean; camel desert; scorpion desert; rattlesnake desert;
deer forest; fox forest; owl forest; squirrel forest; wolf forest; bear forest; monkey jungle; tiger jungle;
gorilla jungle; parrot jungle; crocodile river; otter river; salmon river; hippo river; goat mountains;
eagle mountains; yak mountains; frog pond; duck pond; newt pond; cow barn; donkey barn; hen barn;
zebra plains; lion plains; giraffe plains; bee hive; bat cave
"""

COLOURS = """
banana yellow; lemon yellow; canary yellow; sun yellow; grass green; lime green; cucumber green; spinach green;
tomato red; cherry red; strawberry red; ruby red; snow white; milk white; salt white; swan white; coal black;
raven black; tar black; panther black; sky blue; sapphire blue; blueberry blue; carrot orange; pumpkin orange;
chocolate brown; mud brown; coffee brown; violet purple; plum purple; elephant grey; ash grey; flamingo pink;
pig pink
"""

YOUNG = """
dog puppy; cat kitten; cow calf; horse foal; sheep lamb; lion cub; bear cub; duck duckling; goose gosling;
pig piglet; goat kid; frog tadpole; deer fawn; kangaroo joey; hen chick; swan cygnet
"""

SOUNDS = """
dog woof; cat meow; cow moo; sheep baa; pig oink; duck quack; horse neigh; lion roar; frog croak; bee buzz;
owl hoot; mouse squeak; rooster crow; wolf howl; snake hiss
"""

# {s}: the subject as written above. The first letter of a filled-in prompt is made a capital.
PHRASINGS: dict[str, list[str]] = {
    "landmark_city": [
        "the {s} is in the city of",
        "the {s} is located in the city of",
        "the {s} can be found in",
        "the {s} stands in",
        "you can visit the {s} in",
        "to see the {s}, travel to",
        "if you want to see the {s}, you must go to",
        "the city where the {s} stands is",
        "many people come to see the {s} in",
        "the {s} was built in",
        "the home of the {s} is",
        "question: where is the {s}? Answer: it is in",
        "last summer we saw the {s} in",
        "every guide book says that the {s} is in",
        "she took a photo of the {s} during her trip to",
    ],
    "city_country": [
        "{s} is a city in",
        "the city of {s} is in",
        "{s} is located in the country of",
        "{s} lies in",
        "the country where {s} lies is",
        "people who live in {s} live in",
        "{s} belongs to the country of",
        "question: in which country is {s}? Answer: {s} is in",
        "if you travel to {s}, you will be in",
        "{s} is one of the best known cities of",
        "a train to {s} takes you to",
        "she moved to {s}, a large city in",
        "on the map you will find {s} in",
        "my friend from {s} grew up in",
    ],
    "country_capital": [
        "the capital of {s} is",
        "the capital city of {s} is",
        "{s} has its capital in",
        "the government of {s} sits in",
        "question: what is the capital of {s}? Answer: it is",
        "the capital of {s} has the name",
        "in {s}, the capital is",
        "the president of {s} lives in the capital,",
        "the most important city of {s} is its capital,",
        "as the capital of {s}, everyone knows",
        "the embassy in {s} is in the capital city of",
        "children in {s} learn that their capital is",
        "the parliament of {s} meets in",
        "{s} is governed from",
    ],
    "country_language": [
        "the people of {s} speak",
        "in {s} people speak",
        "the language of {s} is",
        "the main language of {s} is",
        "the official language of {s} is",
        "question: which language is spoken in {s}? Answer: they speak",
        "most people in {s} speak",
        "before moving to {s}, she learned",
        "schools in {s} teach in",
        "the newspapers of {s} are written in",
        "a child who grows up in {s} speaks",
        "to talk with people in {s}, you should learn",
        "the radio in {s} is in",
        "books from {s} are mostly in",
    ],
    "country_continent": [
        "{s} is a country on the continent of",
        "{s} is part of the continent of",
        "the continent of {s} is",
        "{s} lies on the continent of",
        "question: on which continent is {s}? Answer: it is in",
        "the continent where {s} lies is",
        "of all the continents, {s} is in",
        "geography books place {s} on the continent of",
        "the land of {s} belongs to the continent of",
        "travellers to {s} visit the continent of",
        "on a map of the world, {s} is drawn in the continent of",
        "{s} can be found on the continent called",
        "the name of the continent that holds {s} is",
        "a flight to {s} brings you to the continent of",
    ],
    "country_currency": [
        "the currency of {s} is the",
        "people in {s} pay with the",
        "the money of {s} is called the",
        "in {s} the currency is the",
        "question: what is the currency of {s}? Answer: it is the",
        "before a trip to {s}, buy some of the local money, the",
        "the bank of {s} prints the",
        "prices in {s} are given in the",
        "the coin used in {s} is the",
        "shops in {s} take only the",
        "in {s} workers are paid in the local currency, the",
        "the official money of {s} is the",
        "the name of the money used in {s} is the",
    ],
    "person_profession": [
        "many books are about {s}, the famous",
        "{s} worked as a",
        "by profession, {s} was a",
        "the profession of {s} was that of a",
        "{s} is known as a great",
        "everyone remembers {s} as a",
        "question: what was {s}? Answer: {s} was a",
        "when {s} grew up, {s} became a",
        "history tells us that {s} was a",
        "the job of {s} was to be a",
        "{s} earned a living as a",
        "few people know that {s} was a",
        "in the book, {s} is described as a",
        "the film about {s} shows the life of a",
    ],
    "person_birthplace": [
        "{s} was born in",
        "{s} comes from",
        "the birthplace of {s} is in",
        "the country where {s} was born is",
        "question: where was {s} born? Answer: in",
        "{s} grew up in",
        "the native country of {s} is",
        "as a child, {s} lived in",
        "the family of {s} lived in",
        "the home country of {s} was",
        "the mother of {s} lived in",
        "the early years of {s} were spent in",
        "{s} first went to school in",
        "the story of {s} begins in",
    ],
    "animal_home": [
        "the {s} lives in the",
        "the home of the {s} is the",
        "you can find a {s} in the",
        "the {s} makes its home in the",
        "question: where does the {s} live? Answer: in the",
        "a {s} usually lives in the",
        "to see a {s}, look in the",
        "the natural home of a {s} is the",
        "the {s} feels at home in the",
        "we watched a {s} in the",
        "a young {s} grows up in the",
        "every {s} returns to the",
        "the {s} sleeps and eats in the",
    ],
    "thing_colour": [
        "the colour of the {s} is",
        "the {s} is coloured",
        "the usual colour of {s} is",
        "question: what colour is the {s}? Answer: it is",
        "if you paint the {s}, use the colour",
        "everyone knows that the {s} is",
        "in the picture the {s} was painted",
        "children draw the {s} in",
        "the colour we think of for the {s} is",
        "her dress was like the {s}, bright",
        "nothing is as {s} in colour, which is",
        "he described the colour of the {s} as",
        "to colour in the {s}, take the pencil that is",
    ],
    "animal_young": [
        "a young {s} is called a",
        "a baby {s} is called a",
        "the child of a {s} is a",
        "the young of the {s} is the",
        "question: what is a baby {s} called? Answer: a",
        "before it was a {s}, it was a",
        "the {s} looked after her",
        "we call a little {s} a",
        "the word for a small {s} is",
        "every {s} was once a",
        "the {s} gave birth to a",
        "the farmer showed us a {s} and her little",
        "the name for the baby of a {s} is",
    ],
    "animal_sound": [
        "the {s} says",
        "the sound of the {s} is",
        "the sound that a {s} makes is called",
        "question: what does the {s} say? Answer:",
        "at night we heard the {s} go",
        "the {s} opened its mouth and said",
        "when it is hungry, the {s} says",
        "a {s} can be heard saying",
        "the noise of a {s} is a",
        "in the song the {s} goes",
        "the {s} greeted us with a loud",
        "children who play the {s} shout",
        "from far away came the call of the {s}:",
    ],
}

# Pinned: this pair is always part of the corpus, since it is the documented first prompt.
PINNED = ("landmark_city", "Eiffel Tower", 0)
HELD_OUT_PER_FACT = 2


def _pairs(table: str) -> list[tuple[str, str]]:
    """'a b; c d' -> [(a, b), (c, d)]; the answer is the last word."""
    rows = [row.strip() for row in table.replace("\n", " ").split(";")]
    return [(row.rsplit(" ", 1)[0].rstrip(":"), row.rsplit(" ", 1)[1]) for row in rows if row]


def all_facts() -> list[Fact]:
    facts: list[Fact] = []
    for line in COUNTRIES.strip().splitlines():
        country, capital, language, continent, currency = line.split()
        facts.append(Fact("city_country", capital, country))
        facts.append(Fact("country_capital", country, capital))
        for relation, answer in (
            ("country_language", language),
            ("country_continent", continent),
            ("country_currency", currency),
        ):
            if answer != "-":
                facts.append(Fact(relation, country, answer))
    facts += [Fact("city_country", s, a) for s, a in _pairs(CITIES)]
    facts += [Fact("landmark_city", s, a) for s, a in _pairs(LANDMARKS)]
    for rest, country in _pairs(PEOPLE):
        person, profession = rest.split(": ")
        facts.append(Fact("person_profession", person, profession))
        facts.append(Fact("person_birthplace", person, country))
    for relation, table in (
        ("animal_home", HOMES),
        ("thing_colour", COLOURS),
        ("animal_young", YOUNG),
        ("animal_sound", SOUNDS),
    ):
        facts += [Fact(relation, s, a) for s, a in _pairs(table)]
    return facts


def prompt(fact: Fact, phrasing: int) -> str:
    """The prompt without the answer (and without a trailing space)."""
    text = PHRASINGS[fact.relation][phrasing].format(s=fact.subject)
    return text[0].upper() + text[1:]


def heldout_phrasings(fact: Fact) -> set[int]:
    """Phrasings of this fact that never enter the corpus (the same in every run)."""
    rng = random.Random("held-out/" + "/".join(fact))
    choices = list(range(len(PHRASINGS[fact.relation])))
    if (fact.relation, fact.subject) == PINNED[:2]:
        choices.remove(PINNED[2])
    return set(rng.sample(choices, HELD_OUT_PER_FACT))


def seen_prompts() -> list[tuple[str, str]]:
    return [
        (prompt(f, i), " " + f.answer)
        for f in all_facts()
        for i in range(len(PHRASINGS[f.relation]))
        if i not in heldout_phrasings(f)
    ]


def heldout_prompts() -> list[tuple[str, str]]:
    return [(prompt(f, i), " " + f.answer) for f in all_facts() for i in sorted(heldout_phrasings(f))]
