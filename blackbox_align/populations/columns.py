"""How files spell the columns that matter: one table for all readers."""

from __future__ import annotations

import re

# Who a row is about, the likeliest first: a name is preferred to a code beside it.
COUNTRY = (
    "country", "country_name", "countryname", "name", "nation", "entity", "title", "country_long",
    "country_territory", "location", "society", "land", "pais", "pays", "state", "geo", "cntry",
    "iso3", "iso_3", "iso3c", "iso_alpha_3", "iso3_code", "alpha_3", "alpha3", "alpha_3_code",
    "country_code", "countrycode", "code", "cow", "b_country_alpha", "c_cow_alpha", "isocntry",
    "iso2", "iso_2", "iso2c", "iso_alpha_2", "alpha_2", "alpha2", "iso", "country_iso", "iso_code",
)  # fmt: skip
CODES = frozenset(COUNTRY[COUNTRY.index("cntry") :])
# The six indices of Hofstede and how they are called where they are not called PDI, IDV, ...
_INDICES = {
    "PDI": ("power_distance", "power_distance_index", "pd", "powerdistance", "pdi_score"),
    "IDV": ("individualism", "idv_coll", "individualism_vs_collectivism", "individualism_collectivism",
            "individualism_index", "ind_col", "collectivism_individualism", "idv_score"),
    "MAS": ("masculinity", "masculinity_vs_femininity", "masculinity_femininity", "masculinity_index",
            "motivation_towards_achievement_and_success", "mas_fem", "mas_score"),
    "UAI": ("uncertainty_avoidance", "uncertainty_avoidance_index", "ua", "uncertainty", "uai_score"),
    "LTO": ("ltowvs", "long_term_orientation", "long_term_orientation_vs_short_term_normative_orientation",
            "long_term_vs_short_term_orientation", "lto_wvs", "longterm_orientation", "lto_score",
            "pragmatism", "longtermorientation"),
    "IVR": ("indulgence", "indulgence_vs_restraint", "indulgence_restraint", "ind", "ivr_score",
            "indulgence_versus_restraint", "indulgence_index"),
}  # fmt: skip
HOFSTEDE = tuple(_INDICES)
_INDEX_OF = {spelling: name for name, spellings in _INDICES.items() for spelling in spellings}
# Columns of numbers, and of words, that are plainly no index.
_OTHER = frozenset(
    {
        "ctr", "year", "wave", "n", "n_obs", "nobs", "obs", "sample", "sample_size", "survey_n",
        "respondents", "n_respondents", "count", "population", "pop", "weight", "weights", "rank",
        "id", "idx", "index", "row", "unnamed_0", "number", "no", "nr", "lat", "lon", "latitude",
        "longitude", "gdp", "gdp_per_capita", "m49", "iso_numeric", "numeric_code",
        "country_number", "region", "continent", "subregion", "sub_region", "cluster",
        "country_cluster", "income_group", "source", "note", "notes", "comment", "comments",
        "country_short", "language", "slug", "checked", "date", "interview_year", "fieldwork",
        "edition", "kind", "type", "alpha2", "adjective",
    }
)  # fmt: skip


def plain(cell: str) -> str:
    """A column's name without case and marks: ``Power.Distance`` and ``power distance`` are one."""
    bare = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", cell.strip())
    return re.sub(r"[^\w]+|_+", "_", bare.casefold()).strip("_")


def index_name(cell: str) -> str | None:
    """PDI, IDV, ... for a column that holds one of Hofstede's indices, whatever it is called."""
    bare = plain(cell)
    if bare.upper() in HOFSTEDE:
        return bare.upper()
    return _INDEX_OF.get(bare) or _INDEX_OF.get(bare.removeprefix("hofstede_"))


def is_other(cell: str) -> bool:
    """Whether a column is plainly none of figures: a year, a number of people, a region, a note."""
    return not cell.strip() or plain(cell) in _OTHER


def country_columns(cells: list[str]) -> list[int]:
    """The positions of the columns that name countries, the likeliest first."""
    found = [(COUNTRY.index(plain(c)), n) for n, c in enumerate(cells) if plain(c) in COUNTRY]
    return [n for _, n in sorted(found)]
