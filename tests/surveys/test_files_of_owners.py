"""Files as their owners write them, in their languages, with what stands beside the figures in them."""

from __future__ import annotations

import pytest

from blackbox_align.errors import BlackboxAlignError
from blackbox_align.surveys.checking import check
from blackbox_align.surveys.respondents import read_respondents
from blackbox_align.surveys.tabulate import tabulate
from tests.surveys.test_kinds_of_tables import held, shares_of

HEAD = "item,question,option,country,share\n"
YES = {("CHL", "Yes"): 0.6, ("CHL", "No"): 0.4, ("PER", "Yes"): 0.25, ("PER", "No"): 0.75}

FIGURES = {
    "Arabic": ("الدولة,PDI,IDV\nالسعودية,95,25\nالإمارات,90,26\n", {"SAU": (95, 25), "ARE": (90, 26)}),
    "Japanese": ("国名,PDI,IDV\nアメリカ,40,91\nイギリス,35,89\n", {"USA": (40, 91), "GBR": (35, 89)}),
    "Russian": ("Страна,PDI,IDV\nЮжная Корея,60,18\nБелоруссия,95,25\n",
                {"KOR": (60, 18), "BLR": (95, 25)}),
    "Vietnamese, whose names look like codes": (
        "Quốc gia,PDI,IDV\nNga,93,39\nMỹ,40,91\nÁo,11,55\nBỉ,65,75\n",
        {"RUS": (93, 39), "USA": (40, 91), "AUT": (11, 55), "BEL": (65, 75)}),
    "codes of which one is such a name": (
        "country,PDI,IDV\nNGA,80,30\nKEN,70,25\n", {"NGA": (80, 30), "KEN": (70, 25)}),
    "parts of the world in Spanish, and a mean": (
        "País,PDI,IDV\nChile,63,23\nAmérica Latina,70,25\nMundo,60,40\nPromedio,62,30\nPerú,64,16\n",
        {"CHL": (63, 23), "PER": (64, 16)}),
    "America beside other continents": (
        "Entity,PDI,IDV\nAfrica,70,20\nAmerica,60,50\nAsia,70,22\nChile,63,23\n", {"CHL": (63, 23)}),
    "units below the heads": (
        "Country,PDI,IDV\n,index points,index points\nChile,63,23\nPeru,64,16\n",
        {"CHL": (63, 23), "PER": (64, 16)}),
    "a dash for a minus": ("country;OPEN\nChile;–10,5\nPeru;−2\n", {"CHL": (-10.5,), "PER": (-2,)}),
    "points between thousands, commas before fractions": (
        "country;OPEN\nChile;1.063,5\nPeru;1.064\n", {"CHL": (1063.5,), "PER": (1064,)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_countries_in_their_owners_language(kind, tmp_path):
    """Every row is the country that its everyday name means; continents, means and units are no rows."""
    content, expected = FIGURES[kind]
    assert dict(held(content, tmp_path).figures) == expected


BESIDE = {
    "columns of countries beside codes and labels": (
        "variable;question;option;code;Chile;Perú\nv1;Rain?;Yes;1;0,6;0,25\nv1;Rain?;No;2;0,4;0,75\n"),
    "a column of options in the plural": (
        "item,question,options,Chile,Peru\nv1,Rain?,Yes,60,25\nv1,Rain?,No,40,75\n"),
    "totals and people under names that nobody listed": (
        "Is rain good?,,\n,Chile,Peru\nYes,60,25\nNo,40,75\nAll told,100,100\nAsked,1002,998\n"),
    "totals in German": (
        "Is rain good?,,\n,Chile,Peru\nYes,60,25\nNo,40,75\nSumme,100,100\nFallzahl,1002,998\n"),
    "counts with a total in Russian": (
        "question,option,country,count\nRain?,Yes,Chile,60\nRain?,No,Chile,40\nRain?,Итого,Chile,100\n"
        "Rain?,Yes,Peru,25\nRain?,No,Peru,75\nRain?,Итого,Peru,100\n"),
    "heads in Korean": (
        "국가,문항,응답,비율\n칠레,비?,Yes,60\n칠레,비?,No,40\n페루,비?,Yes,25\n페루,비?,No,75\n"),
    "heads in Vietnamese": (
        "Quốc gia,Câu hỏi,Trả lời,Tỷ lệ\nChile,Mưa?,Yes,60\nChile,Mưa?,No,40\n"
        "Peru,Mưa?,Yes,25\nPeru,Mưa?,No,75\n"),
    "people in a column with a name that nobody listed": (
        "Is rain good?,,,\nCountry,Yes,No,Interviews\nChile,60,40,1002\nPeru,25,75,998\n"),
    "countries that are answers": (
        "Which country?,,\n,Chile,Peru\nMexico,60,25\nKenya,40,75\n", ("Mexico", "Kenya")),
    "a question in Chinese above": "問題：你喜歡雨嗎？,,\n,智利,秘魯\nYes,60,25\nNo,40,75\n總和,100,100\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", BESIDE)
def test_shares_without_what_stands_beside_them(kind, tmp_path):
    """Codes, totals and numbers of people are no answers, whatever they are called."""
    content, answers = (
        BESIDE[kind] if isinstance(BESIDE[kind], tuple) else (BESIDE[kind], ("Yes", "No"))
    )
    expected = {(c, answers[option == "No"]): share for (c, option), share in YES.items()}
    assert shares_of(held(content, tmp_path)) == pytest.approx(expected)


def test_people_are_the_sum_of_those_who_gave_each_answer(tmp_path):
    """A number that differs from row to row counts an answer's people, and one that does not counts all."""
    rows = "q,Rain?,Yes,Chile,60,{}\nq,Rain?,No,Chile,40,{}\nq,Rain?,Yes,Peru,50,{}\nq,Rain?,No,Peru,50,{}\n"
    for numbers, people in (
        ((120, 80, 110, 130), [200.0, 240.0]),
        ((200, 200, 240, 240), [200.0, 240.0]),
        (("1,120", "1,080", "900", "880"), [2200.0, 1780.0]),
    ):
        cells = [f'"{number}"' for number in numbers]
        found = held(HEAD.replace("share", "share,n") + rows.format(*cells), tmp_path)
        assert [d.people for d in found.distributions] == people


NAMED = {
    "counts of which one is the others together": (
        "question,option,country,count\nRain?,Yes,Chile,60\nRain?,No,Chile,40\nRain?,Sumarum,Chile,100\n"
        "Rain?,Yes,Peru,25\nRain?,No,Peru,75\nRain?,Sumarum,Peru,100\n",
        "the count of 'Sumarum' for 'Rain?' in Chile is that of all other answers together"),
    "how many gave each answer, and no share": (
        "question,option,country,n\nRain?,Yes,Chile,60\nRain?,No,Chile,40\n",
        "If 'n' says how many gave each answer, call it 'count'"),
    "a code book as text, with commas in it": (
        "R1  Taking all together, is rain good, or not?\n  1  Yes\n  2  No\n -1  Don't know\n",
        "a code book as a table with the columns variable, question, code and label"),
    "a topline as text": (
        "Q4. Is rain good, bad, or neither?\n\n          Good   Bad   DK   Total\n"
        "Chile     Spring, 2019   60   40   0   100\nPeru      Spring, 2019   25   75   0   100\n",
        "a table laid out by blanks has to be saved as CSV"),
    "answers of which no country has the other's": (
        HEAD + "q,Rain?,Yes,Chile,60\nq,Rain?,No,Chile,40\nq,Rain?,Oui,France,70\nq,Rain?,Non,France,30\n",
        "the options of 'q' in France (Non, Oui) are none of those in Chile (No, Yes)"),
    "shares under names that are not known": (
        "Kraj,Pyt,Odp,Ods\nPolska,Czy?,Tak,60\nPolska,Czy?,Nie,40\nNiemcy,Czy?,Tak,50\nNiemcy,Czy?,Nie,50\n",
        "the figures in the column 'Ods' sum to 1 or 100 for each 'Kraj'"),
    "how many were asked for how many answered": (
        "question,option,country,count\nRain?,Yes,Chile,900\nRain?,No,Chile,900\nRain?,Yes,Peru,800\n"
        "Rain?,No,Peru,800\n", "which looks like the number of people who were asked"),
    "shares of two years": (
        "item,question,option,country,in_2010,in_2020\nq,Tea?,Yes,Chile,62,60\nq,Tea?,No,Chile,38,40\n",
        "Call so the one of in_2010, in_2020 that is meant."),
    "one answer in two spellings": (
        HEAD + "q,Rain?,Yes,Chile,60\nq,Rain?,No,Chile,40\nq,Rain?,yes,France,70\nq,Rain?,No,France,30\n",
        "'Yes' and 'yes' of 'q' differ in spelling alone"),
    "percents down the columns": (
        "Is rain good?,,\nCountry,Yes,No\nChile,60,30\nPeru,40,70\n", "sum to 100 down the columns"),
    "an index in two years": ("Country,PDI 2010,PDI 2020\nChile,63,64\n", "are one index in several years"),
    "a table of R": (",Var1,Var2,Freq\n1,yes,Chile,60\n2,no,Chile,40\n", "as.data.frame(table(...))"),
    "people of whom one answer is known": (
        "country,q\nChile,Often\nChile,Never\nPeru,Often\nPeru,Never\n", "--country country`"),
    "people with a weight, some of whom answered in words": (
        "ID,COUNTRY,WT,Q1,Q2\n1,Chile,1,Good,Often\n2,Chile,1,Bad,Never\n3,Peru,2,Good,99\n4,Peru,1,Bad,99\n",
        "--country COUNTRY --weight WT`"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_what_cannot_be_read_is_named(kind, tmp_path):
    """The sentence says what the file is, and what to do."""
    content, sentence = NAMED[kind]
    with pytest.raises(BlackboxAlignError) as raised:
        held(content, tmp_path)
    assert sentence in str(raised.value)


def test_parts_of_a_kingdom_are_no_kingdom(tmp_path):
    """England beside Scotland is a part and left out; alone it is what people mean by the country."""
    rows = "".join(
        f"q,Tea?,Yes,{c},{s}\nq,Tea?,No,{c},{100 - s}\n"
        for c, s in (("England", 60), ("Scotland", 50), ("Northern Ireland", 40), ("Ireland", 70))
    )
    opinions = held(HEAD + rows, tmp_path)
    kinds = {d.sample.country: d.sample.kind for d in opinions.distributions}
    assert kinds == {"X-SCT": "region", "X-NIR": "region", "IRL": "national"}
    assert "'England': perhaps a part of United Kingdom" in " ".join(opinions.report.notes)
    alone = held(HEAD + "q,Tea?,Yes,England,60\nq,Tea?,No,England,40\n", tmp_path)
    assert alone.countries.keys() == {"GBR"}


def rows_of(text, folder, country, name="it.csv", **options):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    table = tabulate(read_respondents(path), country, **options)
    return {(row[0], row[3], row[2]): (float(row[4]), row[7]) for row in table.rows}, table.notes


def test_codes_that_pandas_wrote_as_fractions_are_codes(tmp_path):
    """1.0 and 99.0 in a column with gaps are the codes 1 and 99, and 99 is no answer; a weight stays."""
    found, _ = rows_of("cntry,q,w\nAT,1.0,0.5\nAT,2.0,1.5\nAT,,1.0\nCH,2.0,1.0\nCH,99.0,1.0\n", tmp_path,
                       "cntry", weight="w")  # fmt: skip
    assert found["q", "AT", "1"] == (0.25, "no") and found["q", "AT", "2"] == (0.75, "no")
    assert found["q", "CH", "99"] == (0.5, "yes")


def test_a_convention_of_the_file_holds_where_it_could_be_a_scale(tmp_path):
    """-1 and -2 are no answers beside 1 and 2 where they are none beside 1 to 4; not so with 0."""
    text = "cntry,a,b,c\nFR,1,1,-2\nFR,4,-2,0\nFR,-1,2,2\nDE,2,-1,1\nDE,3,1,-1\nDE,-2,2,2\n"
    found, _ = rows_of(text, tmp_path, "cntry")
    missing = {(item, option) for (item, _, option), (_, none) in found.items() if none == "yes"}
    assert missing == {("a", "-1"), ("a", "-2"), ("b", "-1"), ("b", "-2")}


def test_a_code_among_words_is_no_answer(tmp_path):
    """99 among answers in words is what nobody labelled."""
    found, _ = rows_of(
        "country,q\nPeru,Often\nPeru,99\nChile,Never\nChile,Often\n", tmp_path, "country"
    )
    assert found["q", "Peru", "99"] == (0.5, "yes") and found["q", "Peru", "Often"] == (0.5, "no")


def test_whole_weights_are_weights_where_they_are_called_so(tmp_path):
    """A column wt of 1 and 2 is no item, and that nobody was weighted is said."""
    found, notes = rows_of("idenpa;wt;q\n32;1;1\n32;2;2\n858;1;1\n858;1;2\n", tmp_path, "idenpa")
    assert {item for item, _, _ in found} == {"q"}
    assert any("wt look like weights" in note for note in notes)


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_several_codes_in_a_cell_are_no_fraction(separator, tmp_path):
    """1,3 beside 1 and 3 are two answers; 1,5 beside 2,5 are fractions, and so are a target's."""
    rows = [("country", "bus", "likes"), ("Kenya", "1", "1"), ("Kenya", "1,3", "2"), ("Kenya", "3", "2"),
            ("Ghana", "2", "1"), ("Ghana", "1,2", "1"), ("Ghana", "3", "1")]  # fmt: skip
    text = "".join(separator.join(row) + "\n" for row in rows)
    found, notes = rows_of(text, tmp_path, "country", "it.tsv")
    assert {item for item, _, _ in found} == {"likes"}
    assert any("several answers: bus" in note for note in notes)
    figures = "".join(
        separator.join(r) + "\n" for r in (("country", "PDI"), ("Kenya", "1,5"), ("Ghana", "70"))
    )
    assert dict(held(figures, tmp_path).figures) == {"KEN": (1.5,), "GHA": (70,)}


LANGUAGES = {
    "Tanzania": ("Ndiyo", "Hapana", "Sijui", "Nimekataa kujibu"),
    "Vietnam": ("Có", "Không", "Không biết", "Từ chối trả lời"),
    "Poland": ("Tak", "Nie", "Nie wiem / trudno powiedzieć", "Odmowa odpowiedzi"),
    "Turkey": ("Evet", "Hayır", "Bilmiyorum", "Cevap vermek istemiyorum"),
    "South Korea": ("예", "아니오", "잘 모르겠습니다", "응답하고 싶지 않음"),
    "Ukraine": ("Так", "Ні", "Важко відповісти", "Відмова"),
    "Brazil": ("Sim", "Não", "Não sei dizer", "Prefere não responder"),
    "Germany": ("Ja", "Nein", "Weiß nicht/unsicher", "Möchte ich nicht beantworten"),
}


def test_what_is_no_answer_in_the_language_of_each_country(tmp_path):
    """Two answers are left of four in each language, and no other option is."""
    rows = "".join(
        f"{code},Rain in {place}?,{option},{place},{share}\n"
        for code, (place, options) in enumerate(LANGUAGES.items())
        for option, share in zip(options, (50, 30, 15, 5), strict=True)
    )
    opinions = held(HEAD + rows, tmp_path)
    for distribution in opinions.distributions:
        options = opinions.items[distribution.item].scale.options
        assert options == LANGUAGES[distribution.sample.label][:2]
        assert distribution.shares == pytest.approx((0.625, 0.375))
    assert check(opinions).tables


def test_american_states_are_groups_and_none_is_a_country(tmp_path):
    """Georgia beside Texas is a state, and the column of states names groups of people."""
    rows = "".join(
        f"q,Tea?,Yes,{state},{share}\nq,Tea?,No,{state},{100 - share}\n"
        for state, share in (("Georgia", 50), ("Texas", 30), ("Ohio", 40))
    )
    opinions = held(HEAD.replace("country", "state") + rows, tmp_path)
    assert {d.sample.kind for d in opinions.distributions} == {"group"}
    assert opinions.distributions[0].shares == pytest.approx((0.5, 0.5))


def test_codes_of_another_scheme_are_not_tabulated(tmp_path):
    """AUS is Austria in the codes of Correlates of War."""
    with pytest.raises(BlackboxAlignError, match="of which AUS is Austria"):
        rows_of("C_COW_ALPHA,q\nAUS,1\nAUS,2\nSWZ,1\n", tmp_path, "C_COW_ALPHA")


def test_text_in_both_orders_of_bytes_that_says_neither(tmp_path):
    """UTF-16 without its mark is told from the noughts in it."""
    text = HEAD + "q,Tea?,Yes,Chile,60\nq,Tea?,No,Chile,40\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert held(text.encode(encoding), tmp_path).countries.keys() == {"CHL"}


def test_together_may_be_an_answer(tmp_path):
    """Razem is a party in Poland, and no total."""
    opinions = held(HEAD + "q,Vote?,Razem,Poland,20\nq,Vote?,PSL,Poland,80\n", tmp_path)
    assert opinions.distributions[0].shares == pytest.approx((0.2, 0.8))


def test_two_questions_side_by_side_are_no_totals_of_each_other(tmp_path):
    """The answers to the second question are a whole without the first one's, and yet none sum those up."""
    text = "country,Q1_yes,Q1_no,Q2_daily,Q2_weekly,Q2_never\nChile,60,40,20,30,50\nPeru,25,75,10,20,70\n"
    opinions = held(text, tmp_path)
    assert [item.scale.options for item in opinions.survey.items] == [
        ("yes", "no"), ("daily", "weekly", "never"),
    ]  # fmt: skip


def test_codes_of_six_digits_are_no_answers_and_places_without_weight_are_named(tmp_path):
    """888888 and 988888 behind a scale to 7 are those of the AmericasBarometer."""
    text = "pais,wt,b13\nPeru,1.5,7\nPeru,0.5,1\nPeru,1,888888\nMexico,1,988888\nMexico,1,3\nChile,0,1\n"
    found, notes = rows_of(text, tmp_path, "pais", weight="wt")
    none = {option for (_, _, option), (_, missing) in found.items() if missing == "yes"}
    assert none == {"888888", "988888"} and found["b13", "Peru", "7"] == (0.5, "no")
    assert "Left out, because all weights there are 0: Chile." in notes
