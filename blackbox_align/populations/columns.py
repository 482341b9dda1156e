"""How files spell the columns that matter: one table for all readers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence


def plain(cell: str) -> str:
    """A column's name without case, accents and marks: ``Power.Distance`` and ``power distance`` are one."""
    bare = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", cell.strip())
    bare = "".join(c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))
    return re.sub(r"[^\w]+|_+", "_", bare.casefold()).strip("_")


# Who a row is about, the likeliest first: a name is preferred to a code beside it.
COUNTRY = tuple(map(plain, (
    "country", "country_name", "countryname", "name", "nation", "entity", "title", "country_long",
    "country_territory", "country_region", "country_or_region", "countries", "location", "territory",
    "country_of_residence", "pais_de_residencia", "paese", "kraj", "ulke", "strana", "land_name",
    "reference_area", "geography", "geopolitical_entity", "国家", "國家", "国", "国名", "國名",
    "国家名称", "国家/地区", "국가", "국가명", "나라", "الدولة", "البلد", "البلاد", "دولة",
    "کشور", "ملک", "מדינה", "ארץ", "страна", "країна", "држава", "държава", "država", "zeme",
    "krajina", "orszag", "maa", "riik", "salis", "valsts", "tara", "quoc_gia", "nuoc",
    "negara", "bansa", "nchi", "χώρα", "ประเทศ", "देश", "দেশ", "நாடு",
    "society", "land", "pais", "pays", "state", "geo", "cntry", "ctry", "ref_area", "iso3", "iso_3", "iso3c",
    "iso_alpha_3", "iso3_code", "alpha_3", "alpha3", "alpha_3_code", "country_code", "countrycode", "code",
    "b_country_alpha", "isocntry", "iso2", "iso_2", "iso2c", "iso_alpha_2", "alpha_2",
    "alpha2", "iso", "country_iso", "iso_code", "c_alphan", "cntry_an", "iso_n", "isonum", "iso_numeric",
    "c_abrv", "numeric_code", "m49", "un_code", "b_country", "s003", "idenpa", "cntry_n",
)))  # fmt: skip
# Names of such columns that may be those of others: provinces, variables, answers, pages.
UNSURE = frozenset(
    {
        "state", "location", "name", "title", "territory", "society", "geography", "code", "entity", "kraj",
        "strana", "geo", "iso", "maa", "tara", "nuoc",
    }
)  # fmt: skip
CODES = frozenset(COUNTRY[COUNTRY.index("cntry") :])
# The six indices of Hofstede and how they are called where they are not called PDI, IDV, ...
_INDICES = {
    "PDI": ("power_distance", "power_distance_index", "pd", "powerdistance", "pow", "powdist",
            "machtdistanz", "mdi", "distance_hierarchique", "distance_au_pouvoir", "distancia_al_poder",
            "distancia_de_poder", "distancia_jerarquica", "distanza_dal_potere", "distancia_hierarquica",
            "machtsafstand", "权力距离", "權力距離", "権力格差", "مسافة السلطة", "تباعد السلطة",
            "дистанция власти", "güç mesafesi"),
    "IDV": ("individualism", "idv_coll", "individualism_vs_collectivism", "individualism_collectivism",
            "individualism_versus_collectivism", "individualism_index", "ind_col",
            "collectivism_individualism", "individualismus", "individualisme", "individualismo",
            "indcol", "idvcoll", "个人主义", "個人主義", "الفردية", "индивидуализм", "bireycilik"),
    "MAS": ("masculinity", "masculinity_vs_femininity", "masculinity_versus_femininity",
            "masculinity_femininity", "masculinity_index", "motivation_towards_achievement_and_success",
            "mas_fem", "masfem", "maskulinitat", "masculinite", "masculinidad", "mascolinita",
            "masculinidade", "masculiniteit", "男性化", "男性气质", "男性氣質", "男性らしさ",
            "الذكورة", "الذكورية", "маскулинность", "erillik"),
    "UAI": ("uncertainty_avoidance", "uncertainty_avoidance_index", "ua", "uncertainty", "uncavoid",
            "uncertaintyavoidance", "unsicherheitsvermeidung", "uvi", "controle_de_l_incertitude",
            "evitement_de_l_incertitude", "evitacion_de_la_incertidumbre", "control_de_la_incertidumbre",
            "aversion_a_la_incertidumbre", "avversione_all_incertezza", "aversao_a_incerteza",
            "onzekerheidsvermijding", "不确定性规避", "不确定性回避", "不確定性規避", "不確実性の回避",
            "تجنب عدم اليقين", "تجنب الغموض", "избегание неопределённости", "belirsizlikten kaçınma"),
    "LTO": ("ltowvs", "long_term_orientation",
            "long_term_orientation_vs_short_term_normative_orientation",
            "long_term_orientation_vs_short_term_orientation", "long_term_orientation_vs_short_term",
            "long_term_vs_short_term_orientation", "lto_wvs", "longterm_orientation", "pragmatism",
            "long_term_orientation_index", "longtermorientation", "long_term", "langzeitorientierung",
            "lzo", "langfristorientierung", "langfristige_ausrichtung", "orientation_a_long_terme",
            "orientation_long_terme", "orientacion_a_largo_plazo", "orientamento_a_lungo_termine",
            "orientacao_a_longo_prazo", "orientacao_de_longo_prazo", "langetermijngerichtheid", "长期导向",
            "长期取向", "長期導向", "長期志向", "التوجه طويل المدى", "التوجه طويل الأمد",
            "долгосрочная ориентация", "uzun vadeli yönelim"),
    "IVR": ("indulgence", "indulgence_vs_restraint", "indulgence_restraint", "ind",
            "indulgence_versus_restraint", "indulgence_index", "indulrestr", "ivr_index", "genuss",
            "nachgiebigkeit", "indulgenz", "indulgencia", "indulgenza", "hedonismus", "放纵", "放任", "放縱",
            "التساهل", "الانغماس", "потворство желаниям"),
}  # fmt: skip
# What stands around the name of an index and changes nothing about it.
_AROUND = re.compile(
    r"^(hofstede(_s)?|hof|hofs|dim|dimension|h6d|gh|index|indice)_|_(score|scores|index|points|value|hofstede|"
    r"dimension|2010|2015|raw|0_100|estimate)$"
)
HOFSTEDE = tuple(_INDICES)
# Columns that say when somebody was asked.
TIMES = frozenset(
    {
        "year", "wave", "survey", "round", "edition", "period", "a_wave", "a_year", "s002", "s002vs",
        "s002evs", "s020", "essround", "survey_year", "fieldwork_year", "time", "date", "jahr", "ano",
        "annee", "study", "numinves", "time_period", "refperiod", "ref_date", "fieldwork_date",
    }
)  # fmt: skip
# Columns of numbers, and of words, that are plainly no index.
_OTHER = frozenset(
    {
        "ctr", "year", "wave", "n", "n_obs", "nobs", "obs", "sample", "sample_size", "survey_n",
        "respondents", "n_respondents", "count", "population", "pop", "weight", "weights", "rank", "id",
        "idx", "index", "row", "unnamed_0", "number", "no", "nr", "lat", "lon", "latitude", "longitude",
        "gdp", "gdp_per_capita", "m49", "iso_numeric", "numeric_code", "country_number", "region",
        "continent", "subregion", "sub_region", "cluster", "country_cluster", "income_group", "source",
        "note", "notes", "comment", "comments", "country_short", "language", "slug", "checked", "date",
        "interview_year", "fieldwork", "abk", "abbr", "total", "abbreviation", "code_2", "jahr", "ano",
        "annee", "quelle", "fuente", "references", "ref", "number_of_people", "edition", "kind", "type",
        "alpha2", "adjective", "time", "time_period", "period", "round", "study", "average", "mean",
        "avg", "sum", "median", "sd", "std", "std_dev", "standard_deviation", "se", "std_error",
        "standard_error", "min", "max", "minimum", "maximum", "flag", "obs_flag", "flag_codes", "flags",
        "lower", "upper", "ci_low", "ci_high", "lower_ci", "upper_ci", "cum", "cumulative", "freq",
        "limite_inferior", "limite_superior", "lower_bound", "upper_bound", "lower_limit", "upper_limit",
        "ci", "95_ci", "margin_of_error", "moe", "cow", "cowcode", "cow_code", "cown", "ccode",
        "c_cow_alpha", "c_cow_num",
    }
)  # fmt: skip


_INDEX_OF = {
    plain(spelling): name for name, spellings in _INDICES.items() for spelling in spellings
}


def index_name(cell: str) -> str | None:
    """PDI, IDV, ... for a column that holds one of Hofstede's indices, whatever it is called.

    A name and its abbreviation may stand together, either in brackets; both have to mean the same index.
    """
    inside = re.findall(r"[(\[]([^()\[\]]*)[)\]]", cell)
    outside = re.sub(r"[(\[][^()\[\]]*[)\]]", " ", cell)
    named = {name for name in map(_index, (outside, *inside)) if name}
    return named.pop() if len(named) == 1 else _index(cell)


def _index(cell: str) -> str | None:
    bare = plain(cell)
    while True:
        if bare.upper() in HOFSTEDE:
            return bare.upper()
        if bare in _INDEX_OF:
            return _INDEX_OF[bare]
        shorter = _AROUND.sub("", bare)
        if shorter == bare:
            return None
        bare = shorter


def is_other(cell: str) -> bool:
    """Whether a column is plainly none of figures: a year, a number of people, a rank, a region, a note."""
    bare = plain(cell)
    return (
        not bare
        or bare in _OTHER
        or bare.startswith("rank_")
        or bare.endswith(("_rank", "_ranking", "_n"))
    )


# What an answer is called that sums up others: "Total 'Good'", "Net: agree", "Top 2 Box", "Agree (net)".
_NET = re.compile(
    r"(sub)?total\b[\s:\-–'\"“‘«(]+\w.*|net\b[\s:\-–'\"“‘«(]+\w.*|.*[\s(](net|nett)\)?|"
    r"(top|bottom|mid|middle)[\s-]*([123]|one|two|three)?[\s-]*box(es)?\b.*|[tb][123]b",
    re.IGNORECASE,
)


def is_net(cell: str) -> bool:
    """Whether an answer is called what sums of several answers are called; figures have to bear it out."""
    return _NET.fullmatch(cell.strip()) is not None


def country_columns(cells: list[str]) -> list[int]:
    """The positions of the columns that name countries, the likeliest first."""
    found = [(COUNTRY.index(plain(c)), n) for n, c in enumerate(cells) if plain(c) in COUNTRY]
    return [n for _, n in sorted(found)]


def twice(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> str:
    """What to do about a country in two rows: often these are of two years or two surveys."""
    for n, head in enumerate(heads):
        values = list(dict.fromkeys(row[n].strip() for _, row in rows))
        if plain(head) in TIMES and len(values) > 1:
            return (
                f": the column {head.strip()!r} has several values ({', '.join(values[:4])}); keep the rows "
                "of one of them"
            )
    countries = country_columns(list(heads))
    for n, head in enumerate(heads):
        values = list(dict.fromkeys(row[n].strip() for _, row in rows))
        words = all(re.search(r"[^\W\d]", value) for value in values)
        if n not in countries and words and 1 < len(values) <= 0.5 * len(rows):
            return (
                f": the column {head.strip()!r} has several values ({', '.join(values[:4])}); keep the rows "
                "of one of them"
            )
    return "; remove one of the rows"
