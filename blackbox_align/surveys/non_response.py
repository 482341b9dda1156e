"""Labels that are no answer: "don't know", refused, not asked, missing, in many languages.

A label counts only as a whole: "I do not know anyone" is an answer. What is left out of a file, and
what resembles it but was kept, are both named by ``bbalign surveys check``; a file can say which
(``missing`` in our own forms).

The phrases are usual wordings of "don't know", "refused", "no answer" and "not applicable", written down
by hand with large programmes in mind (European Social Survey, World Values Survey, Eurobarometer,
Latinobarómetro, Afrobarometer and others). They are not taken from a kept table, and were not checked
against the national questionnaires. Wordings that some programmes use as an opinion ("hard to say", "not
sure", "it depends", "undecided") are not among them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ..files.missing import is_missing_code, missing_codes

_PHRASES = {
    "en": "dk; d.k.; don't know; dont know; do not know; doesn't know; d/k; item non-response; "
    "can't say; cannot say; can't choose; cannot choose; no opinion; don't know enough; "
    "refused; refuse; refusal; rf; ref; refused to answer; refuses to answer; answer refused; "
    "declined to answer; declined; no answer; no reply; no response; not answered; not stated; "
    "nonresponse; non-response; item nonresponse; missing; missing value; missing data; "
    "missing response; not asked; not asked in this country; not asked in survey; "
    "question not asked; not available; not ascertained; na; n.a.; n/a; not applicable; "
    "does not apply; inapplicable; inap; prefer not to say; prefer not to answer; "
    "rather not say; i don't know; i do not know; i prefer not to say; i'd rather not say; "
    "skipped; system missing; sysmiss; valid skip; unknown; no data; don't understand; "
    "don't understand the question; not codeable; uncodeable; other missing; multiple answers; "
    "unclear response; dna; dk na; dkna; nap; i don't want to answer; i do not want to answer; "
    "do not want to answer; not in universe",
    "es": "no sabe; no se; ns; nc; ns nc; nsnc; no sabe no contesta; no contesta; no responde; "
    "ns nr; nr; no sabe no responde; sin respuesta; rehusa; rehusa contestar; "
    "se niega a responder; rechazo; se rehusa; no procede; no aplica; no aplicable; "
    "no preguntado; no lo se; prefiero no responder; prefiero no contestar; sin informacion; "
    "no corresponde; no quiere contestar",
    "pt": "nao sabe; nao sei; nao respondeu; nao responde; ns nr; nao sabe nao responde; "
    "nao sabe nao respondeu; recusa; recusou; recusa-se a responder; sem resposta; "
    "nao se aplica; prefiro nao responder; nao perguntado; nao quis responder; "
    "recusou-se a responder",
    "fr": "ne sait pas; je ne sais pas; nsp; nsp nr; ne sait pas nr; sans reponse; pas de reponse; "
    "sr; refus; refuse de repondre; a refuse; non applicable; sans objet; non concerne; "
    "ne se prononce pas; ne repond pas; non reponse; je prefere ne pas repondre; sans opinion; "
    "ne veut pas repondre; ne sait pas sans reponse; non demande; prefere ne pas repondre",
    "it": "non so; non sa; non risponde; non sa non risponde; nessuna risposta; rifiuta; rifiuto; "
    "rifiuta di rispondere; non applicabile; preferisco non rispondere; senza risposta; "
    "non indica; non pertinente; mancata risposta",
    "de": "weiss nicht; weiss ich nicht; ich weiss nicht; wn; kann ich nicht sagen; "
    "kann nicht sagen; keine angabe; k.a.; ka; k. a.; keine antwort; verweigert; "
    "antwort verweigert; verweigere; angabe verweigert; trifft nicht zu (filter); "
    "nicht zutreffend; fehlend; fehlender wert; tnz; nicht gefragt; nicht erhoben; "
    "mochte ich nicht sagen; keine meinung; weiss nicht keine angabe",
    "nl": "weet niet; weet ik niet; weet het niet; ik weet het niet; geen antwoord; geen mening; "
    "weigert; weigering; geweigerd; wil niet zeggen; niet van toepassing; nvt; n.v.t.; "
    "zeg ik liever niet",
    "da": "ved ikke; det ved jeg ikke; vil ikke svare; onsker ikke at svare; intet svar; uoplyst; "
    "ubesvaret; naegter at svare; ikke relevant; naegter",
    "sv": "vet ej; vet inte; vill ej svara; vill inte svara; inget svar; uppgift saknas; vagrar; "
    "ej svar; vagrar svara; ej tillampligt; ingen asikt; ej aktuellt",
    "no": "vet ikke; vil ikke svare; ubesvart; ikke svar; ingen svar; onsker ikke a svare; "
    "nekter a svare; ikke aktuelt; nekter",
    "fi": "en osaa sanoa; ei osaa sanoa; eos; en tieda; ei tieda; ei vastausta; kieltaytyy; "
    "ei vastannut; kieltaytyi; kieltaytyi vastaamasta; en halua vastata; ei sovellu",
    "is": "veit ekki; vil ekki svara; neitar ad svara; svarar ekki; a ekki vid",
    "et": "ei tea; ei oska oelda; ei oska vastata; keeldus; keeldub; vastus puudub; "
    "keeldus vastamast; ei vastanud; ei soovi vastata",
    "lv": "nezina; grutti pateikt nav atbildes; nav atbildes; atteicas; atteicas atbildet; nezinu; "
    "na nezin; atsakas atbildet; nezin",
    "lt": "nezino; nezinau; neatsake; atsisake; atsisake atsakyti; nera atsakymo; n n; n a; "
    "atsisakau atsakyti",
    "pl": "nie wiem; trudno powiedziec nie wiem; odmowa; odmowa odpowiedzi; brak odpowiedzi; "
    "nie dotyczy; brak danych; nie wie; odmawiam odpowiedzi; bd",
    "cs": "nevim; nevi; neodpovedel; neodpovedel(a); bez odpovedi; odmitl; odmitl odpovedet; "
    "odmitam odpovedet; neuvedeno; netyka se; odmitl(a) odpovedet",
    "sk": "neviem; nevie; bez odpovede; odmietol; odmietol odpovedat; odmietol(a) odpovedat; "
    "neodpovedal; netyka sa; neuviedol",
    "hu": "nem tudja; nem tudom; nt; nv; nt nv; nem valaszol; valaszmegtagadas; megtagadta; "
    "nincs valasz; valaszmegtagado; nem valaszolt; nem kivan valaszolni; megtagadta a valaszt",
    "ro": "nu stiu; nu stie; nr; ns nr; nu raspunde; nu raspund; refuz; non raspuns; fara raspuns; "
    "refuza; nu stiu nu raspund; nu este cazul; refuza sa raspunda",
    "hr": "ne zna; ne znam; bez odgovora; odbija; odbija odgovoriti; odbio odgovoriti; odbio; "
    "odbio je odgovoriti; nema odgovora; ne zeli odgovoriti; bo; ne odnosi se; "
    "nije primjenjivo; odbija da odgovori; bez odgovora odbija",
    "sl": "ne ve; ne vem; brez odgovora; b.o.; zavrnil; noce odgovoriti; zavrnitev; "
    "odklanja odgovor; ni odgovora",
    "sq": "nuk e di; nuk di; pa pergjigje; refuzon; refuzoi; nuk pergjigjet; s'e di; "
    "refuzoj te pergjigjem",
    "el": "δεν ξερω; δεν γνωριζω; δγ; δα; δγ δα; δξ δα; δεν απαντω; αρνηση; αρνηθηκε; δεν απαντησε; "
    "αρνειται; δεν ξερω δεν απαντω; δεν εφαρμοζεται; δεν απανταει",
    "bg": "не знам; не зная; не знае; без отговор; отказ; отказва; отказва да отговори; "
    "няма отговор; не отговаря; отказал",
    "ru": "не знаю; не знает; затрудняюсь ответить; затрудняюсь с ответом; затрудняется ответить; "
    "затруднился ответить; затрудняюсь; нет ответа; отказ; отказ от ответа; "
    "отказываюсь отвечать; отказался отвечать; не ответил; без ответа; неприменимо; "
    "нет данных; зо; отказался",
    "uk": "не знаю; не знае; важко сказати не знаю; вiдмова; вiдмова вiдповiдати; немае вiдповiдi; "
    "без вiдповiдi; важко вiдповiсти; вiдмовився вiдповiдати; не вiдповiв; "
    "вiдмова вiд вiдповiдi",
    "sr": "не знам; без одговора; одбиja; одбија; одбија да одговори; нема одговора; не зна; одбио",
    "mk": "не знам; без одговор; одбива; нема одговор; одбива да одговори",
    "tr": "bilmiyor; bilmiyorum; fikri yok; fikrim yok; cevap yok; cevap vermedi; "
    "cevap vermek istemiyor; reddetti; yanit yok; fy cy; fikrim yok bilmiyorum; "
    "bilmiyor fikri yok; bilmiyorum fikrim yok; yanitlamak istemiyorum; cevapsiz; uygulanamaz; "
    "yanit vermedi",
    "ar": "لا اعرف; لا يعرف; رفض; رفض الاجابة; رفض الاجابه; لا اجابة; لا جواب; لا يوجد جواب; "
    "بدون اجابة; لا ادري; لا ينطبق; رفضت الاجابة; ارفض الاجابة; لم يجب; غير معروف; غير مطبق; "
    "لا رأي",
    "fa": "نمی دانم; نمیدانم; نمی داند; بدون پاسخ; بی پاسخ; امتناع از پاسخ; پاسخ نداد; جواب نداد; "
    "نظری ندارم",
    "he": "לא יודע; לא יודעת; לא יודע/ת; מסרב; מסרבת; מסרב לענות; אין תשובה; סירב; לא ענה; "
    "לא רלוונטי; לא יודע לא ענה; סירוב",
    "ur": "معلوم نہیں; پتہ نہیں; جواب نہیں دیا; انکار; نہیں معلوم; جواب دینے سے انکار; نہیں جانتے",
    "hi": "पता नहीं; मालूम नहीं; नहीं जानते; कह नहीं सकते; कोई जवाब नहीं; जवाब नहीं; मना किया; "
    "इनकार; उत्तर नहीं; जवाब देने से इनकार; उत्तर देने से इनकार; नहीं पता; कोई उत्तर नहीं; "
    "लागू नहीं",
    "bn": "জানি না; জানিনা; উত্তর নেই; উত্তর দিতে অস্বীকার; অস্বীকার; উত্তর দেননি; প্রযোজ্য নয়; "
    "বলতে পারি না",
    "ta": "தெரியாது; பதில் இல்லை; மறுப்பு; பதிலளிக்க மறுப்பு",
    "te": "తెలియదు; సమాధానం లేదు; నిరాకరించారు",
    "zh": "不知道; 不清楚; 说不清; 說不清; 拒绝回答; 拒絕回答; 无回答; 無回答; 未回答; 没有回答; "
    "沒有回答; 不适用; 不適用; 拒答; 缺失; 不知道 拒答; 无法回答; 無法回答; 不知; 拒绝; 拒絕; "
    "不愿回答; 不願回答; 没答案; 未作答; 不回答; 缺失值; 无应答; 無意見; 没意见; 不想回答",
    "ja": "わからない; 分からない; わかりません; 無回答; 答えたくない; 回答拒否; 拒否; 該当しない; "
    "非該当; 知らない; 不明; 答えない; 回答なし; どちらともいえない わからない",
    "ko": "모름; 모르겠다; 잘 모르겠다; 모르겠음; 잘 모르겠음; 무응답; 응답거절; 응답 거절; 거절; "
    "해당없음; 해당 없음; 모름 무응답; 응답 거부; 응답거부; 비해당; 잘모름; 잘 모름",
    "vi": "khong biet; tu choi; khong tra loi; tu choi tra loi; kb ktl; khong ap dung; "
    "toi khong biet; khong co cau tra loi; khong biet khong tra loi",
    "id": "tidak tahu; tidak menjawab; tt tj; menolak; menolak menjawab; tidak tahu tidak jawab; "
    "tidak jawab; tidak ada jawaban; tidak berlaku; tidak tahu tidak menjawab; tdk tahu",
    "ms": "tak tahu; enggan menjawab; tiada jawapan; tidak pasti tidak tahu; tidak mahu menjawab; "
    "enggan jawab",
    "tl": "hindi alam; tumanggi; walang sagot; tumangging sumagot; ayaw sumagot; hindi sumagot",
    "th": "ไม่ทราบ; ไม่รู้; ไม่ตอบ; ปฏิเสธ; ปฏิเสธที่จะตอบ; ไม่มีคำตอบ; ไม่เกี่ยวข้อง; ปฏิเสธการตอบ; "
    "ไม่ทราบ ไม่ตอบ; ไม่ขอตอบ",
    "sw": "sijui; hajui; amekataa; amekataa kujibu; hakuna jibu; hakujibu; kakataa; kataa kujibu; "
    "nimekataa kujibu",
    "am": "አላውቅም; መልስ የለም; ለመመለስ ፈቃደኛ አይደለሁም; እምቢ አለ",
    "ha": "ban sani ba; ya ki amsawa; babu amsa",
    "yo": "mi o mo; ko si idahun",
    "ka": "არ ვიცი; უარი პასუხზე; უარი; პასუხი არ არის; მიჭირს პასუხის გაცემა",
    "hy": "չգիտեմ; հրաժարվում եմ պատասխանել; դժվարանում եմ պատասխանել; պատասխան չկա; հրաժարվել է",
    "az": "bilmirem; cavab yoxdur; imtina; cavab vermekden imtina; cetinlik cekirem; "
    "cavabdan imtina",
    "kk": "билмеймин; бiлмеймiн; жауап жок; жауап беруден бас тарту",
    "uz": "bilmayman; javob yoq; javob berishdan bosh tortish",
    "mn": "мэдэхгуй; хариулаагуй; татгалзсан",
    "ca": "no ho sap; no ho se; no contesta; no respon",
    "eu": "ez daki; ez du erantzun; ed ee",
    "gl": "non sabe; non contesta; non sei",
}  # fmt: skip
_NOTE = re.compile(
    r"[(\[{]\s*(vol\.?|volunteered|do not read( out)?|don'?t read( out)?|dnr|spontaneous|spont\.?|nicht "
    r"vorlesen|no leer|ne pas lire|no leido|nao ler|unprompted|not read( out)?|hidden)\s*[)\]}]"
)
_OPENING = re.compile(r"^[-+−]?\d{1,5}\s*[.:=)–]\s*(?=\D)|^[-+−]?\d{1,5}\s+[-–]?\s*(?=[^\W\d])")
_WITH_REASON = re.compile(
    r"(other )?missing ?[;:(].*|inap ?[;:.(].*|not applicable ?[;:(].*|filtered.*"
)
_RANGE = re.compile(r"(don'?t )?-\d+(:-\d+)?")  # the code books' range for non-response
_SPLIT = re.compile(
    r"[/;,|+&・、，／·]| or | and | oder | ou | o | or | y | e | i | ja | ve | и | или |[()]|--?"
)
# Words of which one in a label is reason enough to say that it was kept as an answer.
_RESEMBLES = re.compile(
    r"\b(know|dk|refus\w*|missing|no answer|not answer\w*|not sure|unsure|uncertain|undecided|no opinion|"
    r"not applicable|hard to say|difficult to say|can'?t say|depends|prefer not|declin\w*|not asked|"
    r"sabe|contesta|sait pas|weiss nicht|angabe|nao sei|non so|weet niet|vet|trudno|затруд\w*|отказ\w*)\b"
)


def _bare(label: str) -> str:
    """A label without case, accents, codes in front, notes for interviewers and marks around it."""
    text = re.sub(r"[’‘´`ʼ′]", "'", label)  # first: NFKC takes the acute apart
    text = unicodedata.normalize("NFKC", text).casefold().replace("ß", "ss")
    text = text.replace("ı", "i").replace("ø", "o").replace("æ", "ae")
    text = text.replace("đ", "d").replace("ł", "l").replace("\u200c", " ")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = _NOTE.sub("", text)
    text = _OPENING.sub("", text.strip())
    return " ".join(text.strip(" .\"'*†‡_:;,!#–—").split())


def _phrases() -> frozenset[str]:
    return frozenset(
        _bare(phrase) for listed in _PHRASES.values() for phrase in listed.split("; ") if phrase
    )


_NO_ANSWER = _phrases()


@lru_cache(8192)
def is_missing(option: str) -> bool:
    """Whether an option is no answer: "don't know", refused, no answer, not asked, missing.

    Answers that people volunteered ("Neither (VOL)") are opinions. So is "I do not know anyone".
    """
    bare = _bare(option)
    inner = bare.strip("()[]{}<> ")
    if bare in _NO_ANSWER or inner in _NO_ANSWER or _WITH_REASON.fullmatch(inner):
        return True
    if _RANGE.fullmatch(option.strip().casefold()):
        return True
    parts = [part.strip(" .\"'*[]{}<>:") for part in _SPLIT.split(bare)]
    told = [part for part in parts if part]
    return bool(told) and all(part in _NO_ANSWER for part in told)


def non_responses(options: Sequence[str]) -> set[str]:
    """Those of an item's options that are no answers, in words or as codes.

    Codes (88, 99, -1) are told from the whole of the options: see :func:`.missing.missing_codes`. A
    negative number among words is one; in a scale from -2 to 2 it is an answer.
    """
    numbers = {option: int(option) for option in options if _is_code(option)}
    found = {option for option in options if option not in numbers and is_missing(option)}
    words = [option for option in options if option not in numbers and option not in found]
    codes = missing_codes(list(numbers.values()))
    if words:  # a ladder with words at its ends, or words with codes for those who did not answer
        codes |= {code for code in numbers.values() if code < 0 and -code not in numbers.values()}
        if not any(not is_missing_code(code) for code in numbers.values()):
            codes |= {code for code in numbers.values() if code < 0 or code > 60}
    return found | {option for option, code in numbers.items() if code in codes}


def _is_code(option: str) -> bool:
    return re.fullmatch(r"[-+−]?\d{1,5}", option.strip()) is not None and option.strip().isascii()


def _may_be_missing(code: int, last: int) -> bool:
    return is_missing_code(code) or 7 <= code <= last <= 9


def look_alikes(options: Sequence[str]) -> set[str]:
    """Options that are taken for answers though they resemble what is none; for people to judge."""
    left_out = non_responses(options)
    codes = [int(option) for option in options if _is_code(option)]
    steps = codes == list(range(min(codes), max(codes) + 1)) if codes else True
    return {
        option
        for option in options
        if option not in left_out
        and (
            _RESEMBLES.search(_bare(option))
            or (_is_code(option) and not steps and _may_be_missing(int(option), max(codes)))
        )
    }
