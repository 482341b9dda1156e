"""The country table: ISO 3166 codes, names, aliases and how a name is looked up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import UnknownNameError
from blackbox_align.populations import countries, find_country
from blackbox_align.populations.countries import fold


def test_all_iso_codes_kosovo_and_fourteen_regions_are_there():
    """The table holds the 249 codes of ISO 3166-1, Kosovo's XKX, and fourteen regions without a code."""
    regions = [c for c in countries().values() if c.is_region]
    others = [c for c in countries().values() if not c.is_region]
    assert len(others) == 249 + 1
    assert len(regions) == 14
    assert all(c.code.startswith("X-") and not c.alpha2 for c in regions)
    for country in others:
        assert len(country.code) == 3 and country.code.isalpha() and country.code.isupper()
        assert len(country.alpha2) == 2 and country.alpha2.isalpha() and country.alpha2.isupper()
    assert countries()["XKX"].name == "Kosovo"


def test_codes_are_unique():
    """No alpha-2 code, name or spelling stands for two countries, unless it is the other's code."""
    assert all(code == country.code for code, country in countries().items())
    alpha2 = Counter(c.alpha2 for c in countries().values() if c.alpha2)
    assert max(alpha2.values()) == 1
    owners = {}
    for country in countries().values():
        for spelling in (country.name, *country.aliases):
            owner = owners.setdefault(fold(spelling), country)
            assert owner is country, f"{spelling} is {owner.name} and {country.name}"


def test_a_code_wins_over_an_alias():
    """Every code finds its own country, whatever the aliases of the others are."""
    for country in countries().values():
        assert find_country(country.code) is country
        assert find_country(country.code.lower()) is country
        if country.alpha2:
            assert find_country(country.alpha2) is country


def test_every_name_and_alias_finds_its_country():
    """A country is found by each of its names, in any case."""
    for country in countries().values():
        for spelling in (country.name, *country.aliases):
            assert find_country(spelling) is country
            assert find_country(spelling.upper()) is country
            assert find_country(f"  {spelling} ") is country


# Where the first two letters of alpha-3 are not alpha-2, or look like another country's.
CODES = {
    "AUT": ("AT", "Austria"), "AUS": ("AU", "Australia"), "ARE": ("AE", "United Arab Emirates"),
    "BEN": ("BJ", "Benin"), "BLR": ("BY", "Belarus"), "CAF": ("CF", "Central African Republic"),
    "CHE": ("CH", "Switzerland"), "CHL": ("CL", "Chile"), "CHN": ("CN", "China"),
    "COD": ("CD", "Democratic Republic of the Congo"), "COG": ("CG", "Republic of the Congo"),
    "DEU": ("DE", "Germany"), "DNK": ("DK", "Denmark"), "DOM": ("DO", "Dominican Republic"),
    "DMA": ("DM", "Dominica"), "DZA": ("DZ", "Algeria"), "ESP": ("ES", "Spain"),
    "EST": ("EE", "Estonia"), "GBR": ("GB", "United Kingdom"), "GEO": ("GE", "Georgia"),
    "IRL": ("IE", "Ireland"), "IRQ": ("IQ", "Iraq"), "IRN": ("IR", "Iran"),
    "KOR": ("KR", "South Korea"), "PRK": ("KP", "North Korea"), "MAC": ("MO", "Macau"),
    "MKD": ("MK", "North Macedonia"), "MNE": ("ME", "Montenegro"), "NER": ("NE", "Niger"),
    "NGA": ("NG", "Nigeria"), "NLD": ("NL", "Netherlands"), "PRT": ("PT", "Portugal"),
    "SAU": ("SA", "Saudi Arabia"), "SLV": ("SV", "El Salvador"), "SRB": ("RS", "Serbia"),
    "SVK": ("SK", "Slovakia"), "SVN": ("SI", "Slovenia"), "SWE": ("SE", "Sweden"),
    "SWZ": ("SZ", "Eswatini"), "TUR": ("TR", "Turkey"), "UKR": ("UA", "Ukraine"),
    "URY": ("UY", "Uruguay"), "ZAF": ("ZA", "South Africa"), "ZMB": ("ZM", "Zambia"),
    "ZWE": ("ZW", "Zimbabwe"),
}  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_iso_codes_stand_for_the_right_countries(code):
    """Codes that are easily mistaken are those of ISO 3166-1."""
    country = countries()[code]
    assert (country.alpha2, country.name) == CODES[code]


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("u.s.a.", "USA"), ("US", "USA"), ("America", "USA"), ("uk", "GBR"), ("Britain", "GBR"),
        ("Great Britain", "GBR"), ("Türkiye", "TUR"), ("turkiye", "TUR"), ("cote d'ivoire", "CIV"),
        ("Côte d’Ivoire", "CIV"), ("Ivory Coast", "CIV"), ("Korea South", "KOR"),
        ("Korea, Rep.", "KOR"), ("Egypt, Arab Rep.", "EGY"), ("new-zealand", "NZL"),
        ("Saudi_Arabia", "SAU"), ("South.Africa", "ZAF"), ("Hong Kong (China)", "HKG"),
        ("Trinidad & Tobago", "TTO"), ("Gambia, The", "GMB"), ("Congo, Dem. Rep.", "COD"),
        ("Virgin Islands (U.S.)", "VIR"), ("St. Lucia", "LCA"), ("Micronesia, Fed. Sts.", "FSM"),
        ("Czech Rep", "CZE"), ("Czech Republic", "CZE"), ("Slovak Rep.", "SVK"), ("KSA", "SAU"),
        ("saudi   arabia", "SAU"), ("Viet Nam", "VNM"), ("Russian Federation", "RUS"),
        ("Holland", "NLD"), ("Macedonia Rep", "MKD"), ("Curacao", "CUW"),
        ("são tomé and principe", "STP"), ("Burma", "MMR"), ("Swaziland", "SWZ"), ("Kosovo", "XKX"),
        ("UAE", "ARE"), ("xk", "XKX"), ("Africa East", "X-AFE"), ("Arab countries", "X-ARA"),
        ("Belgium Netherl", "X-BEN"), ("Northern Ireland", "X-NIR"), ("Germany West", "X-GEW"),
        ("السعودية", "SAU"), ("Elfenbeinküste", "CIV"), ("EE.UU.", "USA"), ("Holanda", "NLD"),
        ("Великобритания", "GBR"), ("米国", "USA"), ("한국", "KOR"), ("Nga", "RUS"), ("NGA", "NGA"),
        ("nga", "NGA"), ("Áo", "AUT"), ("ao", "AGO"), ("Ý", "ITA"), ("ሩስያ", "RUS"),
    ],
)  # fmt: skip
def test_common_spellings_are_found(spelling, code):
    """Aliases, accents, dots, apostrophes, case and blanks do not stand in the way."""
    assert find_country(spelling).code == code


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Saudi", "Saudi Arabia"),
        ("saudi arab", "Saudi Arabia"),
        ("Germny", "Germany"),
        ("Nigerai", "Nigeria"),
        ("Vatican", "Vatican City"),
        ("Falklands", "Falkland Islands"),
        ("Arab", "Arab countries"),
        ("Zeal", "New Zealand"),
        ("Untied States", "United States"),
        ("SUA", "SAU"),
        ("Korea", "South Korea"),
        ("Congo", "Republic of the Congo"),
    ],
)
def test_an_unknown_name_offers_the_nearest(query, first):
    """A slip or the beginning of a word is an UnknownNameError that offers the country meant first."""
    with pytest.raises(UnknownNameError, match=f"Unknown country {query!r}") as caught:
        find_country(query)
    assert caught.value.nearest[0] == first
    assert f"Did you mean {first!r}" in str(caught.value)
    assert "bbalign countries" in str(caught.value)


@pytest.mark.parametrize("query", ["", "  ", "123", "Atlantis-upon-Sea", "\x00", "*"])
def test_what_is_near_nothing_is_a_sentence_too(query):
    """A name that resembles no country gets the list instead of an offer."""
    with pytest.raises(UnknownNameError, match="`bbalign countries` lists them all") as caught:
        find_country(query)
    assert "Did you mean" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=12))
def test_any_text_finds_a_country_or_says_that_it_does_not(text):
    """Looking up any text at all gives a country or an UnknownNameError, never something else."""
    try:
        assert find_country(text).code in countries()
    except UnknownNameError as error:
        assert repr(text) in str(error)


@pytest.mark.parametrize(
    "label",
    ["Korea", "Congo", "EU", "Europe", "West Germany", "East Germany", "Yugoslavia", "Virgin Islands",
     "Israel Arab", "South American", "Niger Delta", "Kenya and Uganda", "Georgia (US)", "Dutch Antilles"],
)  # fmt: skip
def test_what_several_countries_or_none_could_be_meant_by_is_not_guessed(label):
    """A part, a former state, a union or an ambiguous name is asked about."""
    with pytest.raises(UnknownNameError, match="Unknown country"):
        find_country(label)
