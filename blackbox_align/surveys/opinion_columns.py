"""How the columns of an opinion survey as a table are spelled, in the languages of those who write them."""

from __future__ import annotations

import re

from ..files.tables import CsvTable
from ..populations.columns import plain

_SPELLINGS = {
    "item": (
        "item", "id", "qid", "question_id", "item_id", "variable", "question_code", "qkey", "var",
        "item_code",
    ),
    "question": (
        "question", "question_text", "text", "wording_of_question", "question_wording", "item_text",
        "variable_label", "pregunta", "pergunta", "frage", "domanda", "问题", "問題", "題目", "题目",
        "質問", "السوال", "вопрос", "soru", "문항", "질문", "câu hỏi", "pertanyaan", "pytanie",
        "otázka", "kérdés", "întrebare", "ερώτηση", "שאלה", "سوال", "پرسش", "प्रश्न", "सवाल",
        "swali", "vraag", "fråga", "spørsmål", "spørgsmål", "kysymys", "питання", "запитання",
        "въпрос", "pitanje", "vprašanje", "klausimas", "jautājums", "küsimus", "คำถาม", "tanong",
        "প্রশ্ন",
    ),
    "option": (
        "option", "answer", "response", "answer_option", "category", "choice", "option_text",
        "answer_text", "response_option", "response_category", "value_label", "answer_label",
        "response_label", "category_label", "respuesta", "resposta", "reponse", "antwort",
        "risposta", "opcion", "value", "code", "value_code", "选项", "選項", "選択肢", "答案", "回答",
        "الاجابة", "ответ", "cevap", "응답", "선택지", "보기", "답변", "trả lời", "câu trả lời",
        "phương án", "jawaban", "opsi", "odpowiedź", "odpověď", "odpoveď", "válasz", "răspuns",
        "απάντηση", "תשובה", "پاسخ", "جواب", "जवाब", "उत्तर", "jibu", "antwoord", "svar", "vastaus",
        "відповідь", "отговор", "odgovor", "atsakymas", "atbilde", "vastus", "คำตอบ", "sagot",
        "উত্তর", "вариант ответа", "yanıt",
    ),
    "share": (
        "share", "percent", "percentage", "proportion", "pct", "prop", "probability", "prob",
        "weighted_share", "weighted_percent", "weighted_pct", "weighted_percentage",
        "percent_of_people", "share_of_people", "比例", "百分比", "占比", "割合", "النسبة", "доля",
        "процент", "yuzde", "porcentaje", "porcentagem", "pourcentage", "prozent", "anteil",
        "percentuale", "비율", "백분율", "퍼센트", "tỷ lệ", "tỉ lệ", "phần trăm", "persen",
        "persentase", "procent", "odsetek", "udział", "procento", "podíl", "százalék", "arány",
        "procentaj", "ποσοστό", "אחוז", "درصد", "प्रतिशत", "asilimia", "andel", "osuus",
        "prosentti", "відсоток", "частка", "дял", "postotak", "udio", "odstotek", "delež",
        "procentai", "procenti", "protsent", "ร้อยละ", "เปอร์เซ็นต์", "porsyento", "النسبة المئوية",
        "oran", "শতাংশ",
    ),
    "count": (
        "count", "counts", "freq", "frequency", "weighted_count", "n_weighted", "weighted_n", "n_w",
        "häufigkeit", "frecuencia", "frequência", "frequenza", "fréquence", "频数", "頻數", "度数",
        "빈도", "частота", "التكرار", "tần số", "frekuensi",
    ),
    "n": (
        "n", "people", "respondents", "sample_size", "base", "n_obs", "unweighted_n",
        "n_unweighted",
    ),
    "ordered": ("ordered",),
    "missing": ("missing", "non_response"),
    "group": ("group", "population"),
    "name": ("name", "group_name"),
    "wording": ("wording",),
}  # fmt: skip
_OPTIONS = ("options", "answers", "categories", "choices", "response_options", "answer_options")


def spelled_columns(table: CsvTable) -> dict[str, str]:
    """Our names of the columns that a table has, and how it spells them."""
    found = {}
    for name, spellings in _SPELLINGS.items():
        bare = list(map(plain, spellings))
        matching = [c for spelling in bare for c in table.columns if plain(c) == spelling]
        if matching:
            found[name] = matching[0]
    if "option" not in found:
        several = [c for c in table.columns if plain(c) in _OPTIONS and not _holds_lists(table, c)]
        found |= {"option": several[0]} if several else {}
    return found


def _holds_lists(table: CsvTable, column: str) -> bool:
    """Whether cells hold all answers to a question, and not one of them."""
    return any(re.search(r"^\s*[\[{(]|[;|\n]|\d\s*=", row[column]) for _, row in table.records())
