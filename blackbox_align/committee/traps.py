"""Corrections of the lexicon: what the tables of names miss, and the words that mislead them.

Countries are ISO 3166-1 alpha-3 codes; several in one string are all meant. Phrases are written in
lower case without accents, as the lexicon compares them.
"""

from __future__ import annotations

NO_COUNTRY = (
    # dishes, things and plants that carry a country's or a people's name
    *("french fries", "french fry", "french toast", "french press", "french kiss", "french door"),
    *("french horn", "swiss army knife", "swiss cheese", "danish pastry", "danish pastries"),
    *("brazil nut", "brazil nuts", "panama hat"),
    *("spanish flu", "german measles", "german shepherd", "siamese cat", "persian cat"),
    *("persian rug", "turkish bath", "turkish delight", "dutch oven", "dutch courage"),
    *("english breakfast tea", "english muffin", "scotch tape", "scotch whisky", "irish coffee"),
    *("irish setter", "russian roulette", "chinese whispers", "indian summer", "cuban heel"),
    *("jersey cow", "jordan almonds", "bermuda shorts", "roman numeral", "roman numerals"),
    *("arabic numeral", "arabic numerals", "latin alphabet", "panama canal", "suez canal"),
    # peoples that are no country's, and those of the past
    *("roma", "romani", "romany", "gypsy", "gypsies", "roman", "romans"),
    *("latin", "indian ocean", "holy roman empire"),
    # what is celebrated or fought far from where it is named for
    *("chinese new year", "chinese zodiac", "korean war", "vietnam war", "greek mythology"),
)
"""Phrases that hold a country's word and do not speak of the country."""

HOMONYMS = (
    # people and brands
    *("michael jordan", "air jordan", "air jordans", "jordan peterson", "chad smith"),
    *("friend chad", "brother chad", "named chad", "called chad", "friend jordan", "named jordan"),
    *("named georgia", "called georgia", "friend georgia", "called jordan", "paris hilton"),
    # languages and programs
    *("java or python", "in java", "java programming", "java code", "new england patriots"),
    # animals
    *("guinea pig", "guinea pigs", "guinea fowl"),
)
"""Phrases that sound like a country and have nothing to do with it: an embedder is not shown them."""

REGIONS = {
    "Africa": "africa african",
    "Asia": "asia asian",
    "Europe": "europe european european_union",
    "Oceania": "oceania oceanian",
    "Americas": "americas",
    "ARG BOL BRA CHL COL ECU GUY PER PRY SUR URY VEN": "south_america south_american",
    "BOL COL ECU PER CHL": "andes andean",
    "BLZ CRI GTM HND NIC PAN SLV": "central_america central_american",
    "ARG BOL BRA CHL COL CRI CUB DOM ECU GTM HND HTI MEX NIC PAN PER PRI PRY SLV URY VEN": (
        "latin_america latin_american latino latina latinx hispanic"
    ),
    "CAN MEX USA": "north_america north_american",
    "BHS BRB CUB DMA DOM GRD HTI JAM KNA LCA PRI TTO VCT": (
        "caribbean west_indies west_indian west_indians"
    ),
    "ARE BHR EGY IRN IRQ ISR JOR KWT LBN OMN PSE QAT SAU SYR TUR YEM": (
        "middle_east middle_eastern near_east near_eastern"
    ),
    "ARE BHR DZA EGY IRQ JOR KWT LBN LBY MAR OMN PSE QAT SAU SDN SYR TUN YEM": (
        "arab arabian arab_world"
    ),
    "ARE BHR KWT OMN QAT SAU": "gulf_states",
    "DZA EGY LBY MAR TUN": "north_africa north_african maghreb",
    "BEN BFA CIV CPV GHA GIN GMB GNB LBR MLI MRT NER NGA SEN SLE TGO": (
        "west_africa west_african western_africa"
    ),
    "MLI MRT NER SEN TCD BFA SDN": "sahel",
    "BDI DJI ERI ETH KEN RWA SOM SSD TZA UGA": "east_africa east_african eastern_africa",
    "AGO BWA LSO MOZ MWI NAM SWZ ZAF ZMB ZWE": "southern_africa southern_african",
    "AGO CAF CMR COD COG GAB GNQ TCD": "central_africa central_african middle_africa",
    "CHN HKG JPN KOR MAC MNG PRK TWN": "east_asia east_asian eastern_asia",
    "AFG BGD BTN IND LKA MDV NPL PAK": "south_asia south_asian southern_asia",
    "BRN IDN KHM LAO MMR MYS PHL SGP THA TLS VNM": (
        "southeast_asia southeast_asian south_east_asia south_east_asian"
    ),
    "KAZ KGZ TJK TKM UZB": "central_asia central_asian",
    "BGR BLR CZE HUN MDA POL ROU RUS SVK UKR": "eastern_europe eastern_european",
    "AUT BEL CHE DEU FRA GBR IRL LUX NLD": "western_europe western_european",
    "AUT CHE CZE DEU HUN POL SVK SVN": "central_europe central_european",
    "ALB BGR BIH GRC HRV MKD MNE ROU SRB SVN XKX": "balkan balkans",
    "ESP GRC ITA MLT PRT": "southern_europe southern_european",
    "DNK NOR SWE": "scandinavia scandinavian",
    "DNK FIN ISL NOR SWE": "nordic northern_europe northern_european",
    "EST LTU LVA": "baltic",
    "BGR BIH BLR CZE HRV MKD MNE POL RUS SRB SVK SVN UKR": "slavic slav",
    "ARM AZE GEO": "caucasus",
    "BEL LUX NLD": "benelux",
    "GBR IRL": "british_isles",
    "CYP DZA EGY ESP FRA GRC HRV ISR ITA LBN LBY MAR MLT SYR TUN TUR": "mediterranean",
    "COK NZL PYF TON TUV WSM": "polynesia polynesian",
    "FJI PNG SLB VUT": "melanesia melanesian",
}
"""Regions by their countries, or by the continent's name; to name one is to name no country alone."""

MEANT = {
    "USA": (
        "america the_states us usa u_s u_s_a new_mexico new_jersey new_england new_york texas "
        "peru_indiana paris_texas lebanon_pennsylvania georgia_usa georgia_us state_of_georgia "
        "atlanta_georgia savannah_georgia"
    ),
    "GBR": "uk u_k england scotland wales northern_ireland",
    "CAN": "british_columbia",
    "AUS": "new_south_wales",
    "GUF": "french_guiana",
    "KOR": "korea",
    "COD COG": "congo",
    "GIN": "guinea",
    "NGA": "niger_delta niger_state",
    "WSM": "samoa",
    "SDN": "sudan",
    "IRL": "ireland",
    "FSM": "micronesia",
    "CHN": "mainland_china prc",
    "HKG": "hong_kong_china hong_kong",
    "MAC": "macau_china",
    "NLD": "holland",
    "IRN": "persia",
    "THA": "siam",
    "LKA": "ceylon",
    "VNM": "viet",
    "TTO": "trinidad tobago",
    "ARE": "uae emirates",
    "SAU": "ksa",
    "COD": "drc",
    "PRK": "dprk",
    "VAT": "vatican",
}
"""Phrases by what they mean, where the tables say nothing or something else; ``_`` is a blank."""

PEOPLES = {
    "MKD": "macedonian",
    "DOM": "dominican",
    "COD COG": "congolese",
    "KOR": "korean",
    "GUF": "french_guianese",
    "ARG": "argentine argentinian",
    "AUS": "aussie",
    "BIH": "bosniak",
    "BWA": "botswanan batswana",
    "CAN": "british_columbian french_canadian canadien quebecois quebecer",
    "DEU": "bavarian",
    "DNK": "dane",
    "ECU": "ecuadorian",
    "EGY": "egyptian copt",
    "ESP": "spaniard",
    "FIN": "finn",
    "FRA": "frenchman frenchwoman frenchmen breton",
    "GBR": (
        "english welsh scottish northern_irish briton brit scot welshman englishman englishwoman englishmen"
    ),
    "GLP": "guadeloupean",
    "HKG": "hongkonger hongkongese hong_konger hong_kongese",
    "HRV": "croat",
    "IDN": "javanese balinese sundanese batak",
    "IND": "desi",
    "IRL": "irishman irishmen",
    "IRN": "persian",
    "ISL": "icelandic",
    "ISR": "hebrew",
    "KAZ": "kazakh",
    "KGZ": "kyrgyz",
    "LAO": "lao",
    "LSO": "basotho",
    "LUX": "luxembourgish",
    "MAC": "macanese",
    "MDV": "maldivian",
    "MTQ": "martinican martiniquais",
    "NLD": "dutchman dutchmen hollander",
    "NPL": "nepali",
    "NZL": "maori kiwi",
    "PHL": "filipina pinoy pinay",
    "POL": "pole",
    "PRI": "boricua",
    "REU": "reunionese",
    "RUS": "soviet",
    "SAU": "saudi saudi_arabian",
    "SRB": "serb",
    "SVN": "slovenian",
    "SWE": "swede",
    "TJK": "tajik",
    "TTO": "tobagonian",
    "TUR": "turk",
    "USA": (
        "american_indian native_american african_american asian_american mexican_american "
        "italian_american chinese_american yankee"
    ),
    "UZB": "uzbek",
    "ZAF": "afrikaner zulu xhosa",
    "CAN GRL": "inuit",
    "NOR SWE FIN": "sami",
    "TUR IRQ IRN SYR": "kurd kurdish",
    "AFG PAK": "pashtun",
    "IND PAK": "punjabi sindhi kashmiri",
    "BGD IND": "bengali",
    "ESP FRA": "basque",
    "KEN TZA": "maasai masai",
    "NGA NER": "hausa",
    "PER BOL": "quechua",
    "BOL PER": "aymara",
    "CHL ARG": "mapuche",
    "MAR DZA": "berber amazigh",
    "MLI NER DZA": "tuareg",
    "MYS SGP IDN": "malay",
}
"""Names of peoples that the tables of demonyms lack, by country; ``_`` is a blank."""

PLACES = {
    "DEU": "bavaria saxony rhineland black_forest",
    "ESP": "catalonia andalusia castile",
    "FRA": "brittany normandy provence burgundy corsica",
    "ITA": "sicily tuscany sardinia lombardy piedmont",
    "CZE": "bohemia moravia",
    "ROU": "transylvania wallachia",
    "RUS": "siberia",
    "CHN": "tibet xinjiang inner_mongolia manchuria canton",
    "IDN": "java sumatra bali sulawesi",
    "TUR": "anatolia cappadocia istanbul",
    "IND": "kerala mumbai bombay calcutta",
    "USA": "hawaii alaska atlanta washington_dc",
    "JPN": "okinawa kyoto",
    "CHL ARG": "patagonia",
    "IND PAK": "kashmir",
}
"""Regions of countries by the names that English has for them; ``_`` is a blank."""

SHARED_DEMONYMS = {
    *("HKG", "MAC", "MTQ", "MYT", "REU", "SPM", "ATF", "IOT", "SJM", "MNP", "DMA", "GGY", "JEY"),
    *("SCG", "COD", "COG", "CXR", "DJI", "GIB", "ANT", "KOR"),
}
"""Countries whose demonym in the tables is another country's, or no people's name."""

NEEDS_CAPITAL = {
    *("turkey", "china", "chad", "jordan", "guinea", "jersey", "chile", "polish", "pole", "poles"),
    *("japan", "niger", "mali", "oman", "cuba", "togo", "malta", "man", "reunion", "swede"),
    *("swedes", "finn", "finns", "dane", "danes", "lao", "georgia", "scot", "scots", "turk"),
    *("kiwi", "kiwis", "panama", "java", "desi", "brit", "sami", "canton", "states", "the states"),
}
"""Words that are others in lower case: a bird, plates, a verb."""

CODES = {"us", "usa", "u s", "u s a", "uk", "u k", "uae", "ksa", "drc", "dprk", "prc"}
"""Abbreviations, which are written in capitals throughout: "us" is a pronoun."""

PLAIN_WORDS = {
    *("central", "centre", "center", "north", "south", "east", "west", "northern", "southern"),
    *("eastern", "western", "north east", "north west", "south east", "south west", "northeast"),
    *("northwest", "southeast", "southwest", "islands", "capital", "city", "coast", "plateau"),
    *("plateaux", "delta", "unity", "reading", "bath", "bury", "male", "most", "mono", "pool"),
    *("cross river", "rivers", "lakes", "cascade", "nord", "littoral", "savanes", "saint george"),
    *("saint john", "saint mary", "saint paul", "saint peter", "saint james", "saint andrew"),
    *("saint david", "saint patrick", "saint joseph", "saint mark", "saint philip", "la paz"),
    *("victoria", "santa cruz", "san juan", "san jose", "sara", "lara", "para", "meta", "acre"),
    *("zeta", "volta", "union", "liberty", "independence", "federal district", "high", "upper"),
    *("highlands", "west coast", "nice", "sale", "lower", "grad", "slave", "fang", "kom", "bena"),
    *("latin", "mari", "alabama", "delaware", "carib", "sena", "mende", "gothic", "ladin"),
    *("dakota", "lamba", "mongo", "osage", "seneca", "yao", "koro", "prussian", "scots", "kachin"),
    *("luxembourg", "limburg", "granada", "toledo"),
}
"""Names of subdivisions and languages that are plain words, or are found in too many countries."""
