"""Figures and shares in the tables, exports and code books that people have, worked out by hand.

Each file is small and our own; its form is that of the kind. It is read rightly, or refused in a sentence
that says what it is and what to do.
"""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from blackbox_align.errors import BlackboxAlignError
from blackbox_align.populations.targets import TargetSet
from blackbox_align.surveys.checking import check
from blackbox_align.surveys.reading import read

SIX = "63,23,28,86,31,68"
CHILE = (63, 23, 28, 86, 31, 68)
PERU = "Peru,64,16,42,87,25,46\n"


def header(*names, sep=","):
    return sep.join(names) + "\n"


TARGETS = {
    "the public matrix with its gaps and regions": (
        "ctr;country;pdi;idv;mas;uai;ltowvs;ivr\r\nCHL;Chile;63;23;28;86;31;68\r\n"
        "ARA;Arab countries;80;38;53;68;23;34\r\nXXX;Albania;#NULL!;#NULL!;#NULL!;#NULL!;61;15\r\n",
        {"CHL": CHILE, "X-ARA": (80, 38, 53, 68, 23, 34), "ALB": (None, None, None, None, 61, 15)},
    ),
    "names with abbreviations in brackets": (
        header(
            "Country",
            "Power Distance Index (PDI)",
            "Individualism vs. Collectivism (IDV)",
            "MAS [masculinity]",
            "Uncertainty Avoidance (UAI)",
            "Long Term Orientation vs. Short Term Normative Orientation (LTO)",
            "Indulgence vs. Restraint (IVR)",
        )
        + f"Chile,{SIX}\n{PERU}",
        {"CHL": CHILE, "PER": (64, 16, 42, 87, 25, 46)},
    ),
    "marks of footnotes behind names and figures": (
        header("Country", "Power distance", "Individualism") + "Chile[2],63*,23\nPeru *,64[a],—\n",
        {"CHL": (63, 23), "PER": (64, None)},
    ),
    "titles above and a source below": (
        "Dimensions of culture,,\nRetrieved in May,,\nCountry,PDI,IDV\nChile,63,23\nPeru,64,16\n,,\n"
        "Source: own,,\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "a row per country and dimension": (
        header("code", "country", "dimension", "score", "rank") + "CHL,Chile,Power Distance,63,2\n"
        "CHL,Chile,Individualism,23,1\nPER,Peru,Power Distance,64,1\nPER,Peru,Individualism,16,2\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "a column per country": (
        header("Dimension", "Chile", "Peru") + "PDI,63,64\nIDV,23,16\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "means and deviations below": (
        header("Country", "PDI") + "Chile,63\nPeru,64\nMean,63.5\nSD,0.7\nN,2\n",
        {"CHL": (63,), "PER": (64,)},
    ),
    "ranks beside scores": (
        header("Country", "PDI rank", "PDI score", "Rank IDV", "IDV")
        + "Chile,24,63,38,23\nPeru,21,64,45,16\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "heads in two rows": (
        "Country,Values,,\n,PDI,IDV,MAS\nChile,63,23,28\nPeru,64,16,42\n",
        {"CHL": (63, 23, 28), "PER": (64, 16, 42)},
    ),
    "prefixes and suffixes of the names": (
        header("iso3c", "hof_pdi", "hofstede_idv_score") + "CHL,63,23\nPER,64,16\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "numbers of countries": (
        header("iso_n", "PDI") + "152,63\n604,64\n",
        {"CHL": (63,), "PER": (64,)},
    ),
    "lines of JSON": (
        '{"country": "Chile", "PDI": 63}\n{"country": "Peru", "PDI": 64}\n',
        {"CHL": (63,), "PER": (64,)},
    ),
    "another language": (
        header("Pays", "Distance hiérarchique", "Masculinité") + "Chili,63,28\nÉtats-Unis,40,62\n",
        {"CHL": (63, 28), "USA": (40, 62)},
    ),
    "decimal commas behind semicolons": (
        "sep=;\nLand;PDI;UVI\nÖsterreich;11,5;70,0\nPeru;64,25;87,0\n",
        {"AUT": (11.5, 70), "PER": (64.25, 87)},
    ),
    "percent signs in all cells": (
        header("Country", "PDI", "IDV") + "Chile,63%,23%\nPeru,64%,16%\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "names of rows in front": (
        '"","country","pdi"\n"1","Chile",63\n"2","Peru",64\n',
        {"CHL": (63,), "PER": (64,)},
    ),
    "one figure per country and year, of one year": (
        header("Entity", "Code", "Year", "Trust")
        + "Chile,CHL,2018,12.9\nPeru,PER,2018,4.2\nWorld,,2018,25\n",
        {"CHL": (12.9,), "PER": (4.2,)},
    ),
    "a row per country and indicator, with its time": (
        header("LOCATION", "INDICATOR", "MEASURE", "FREQUENCY", "TIME", "Value", "Flag Codes")
        + "CHL,PDI,PC,A,2020,63,\nPER,PDI,PC,A,2020,64,E\nOECD,PDI,PC,A,2020,50,\n",
        {"CHL": (63,), "PER": (64,)},
    ),
    "a title in fewer columns, aggregates of countries, notes below": (
        '"Data Source","Own",\n\n"Last Updated","May",\n\n"Country Name","Country Code","PDI","IDV"\n'
        '"Euro area","EMU","50","60"\n"Chile","CHL","63","23"\n"Peru","PER","..","16"\n'
        '"High income","HIC","1","2"\n"Data from database: own","","",""\n',
        {"CHL": (63, 23), "PER": (None, 16)},
    ),
    "heads of indices that are countries' codes too": (
        header("Country", "PD", "MAS", "UA", "IND") + "Chile,63,28,86,68\nPeru,64,42,87,46\n",
        {"CHL": (63, 28, 86, 68), "PER": (64, 42, 87, 46)},
    ),
    "a mean beside the figures": (
        header("Country", "PDI", "IDV", "Average", "Std. dev.")
        + "Chile,63,23,43,28\nPeru,64,16,40,34\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "UTF-16 that does not say so": (
        "Country;PDI\nChile;63\nPerú;64\n".encode("utf-16-le"),
        {"CHL": (63,), "PER": (64,)},
    ),
    "bars between the cells": (
        "| Country | PDI |\n|:---|---:|\n| Chile | 63 |\n| Peru | 64 |\n",
        {"CHL": (63,), "PER": (64,)},
    ),
    "lines that are quoted as a whole": (
        '"country,PDI"\n"Chile,63"\n"Peru,64"\n',
        {"CHL": (63,), "PER": (64,)},
    ),
    "pandas' split": (
        '{"columns": ["country", "PDI"], "index": [0, 1], "data": [["Chile", 63], ["Peru", 64]]}',
        {"CHL": (63,), "PER": (64,)},
    ),
    "pandas' columns": (
        '{"country": {"0": "Chile", "1": "Peru"}, "PDI": {"0": 63, "1": 64}}',
        {"CHL": (63,), "PER": (64,)},
    ),
    "what statistical offices exchange, with labels beside codes": (
        header(
            "DATAFLOW",
            "REF_AREA",
            "Reference area",
            "MEASURE",
            "Measure",
            "UNIT_MEASURE",
            "TIME_PERIOD",
            "OBS_VALUE",
            "OBS_STATUS",
        )
        + "own:WB,CHL,Chile,TRUST,Trust in others,PT,2022,12.5,A\n"
        "own:WB,PER,Peru,TRUST,Trust in others,PT,2022,8,A\n"
        "own:WB,CHL,Chile,LIFE,Satisfaction,10P,2022,6.5,A\n"
        "own:WB,PER,Peru,LIFE,Satisfaction,10P,2022,6,A\n",
        {"CHL": (12.5, 6.5), "PER": (8, 6)},
    ),
    "several columns in the first cell, flags behind figures": (
        "freq,unit,geo\\TIME_PERIOD\tTRUST \nA,RTG,AT\t8.0 \nA,RTG,EL\t6.2 b\nA,RTG,UK\t: \n"
        "A,RTG,EU27_2020\t7.3 \n",
        {"AUT": (8,), "GRC": (6.2,), "GBR": (None,)},
    ),
    "lists of one, as R writes them": (
        '[{"country": ["Chile"], "PDI": [63]}, {"country": ["Peru"], "PDI": [64]}]',
        {"CHL": (63,), "PER": (64,)},
    ),
    "heads in Chinese": (
        header("国家", "权力距离", "个人主义") + "智利,63,23\n秘鲁,64,16\n",
        {"CHL": (63, 23), "PER": (64, 16)},
    ),
    "heads in Arabic": (
        header("الدولة", "مسافة السلطة", "تجنب عدم اليقين") + "تشيلي,63,86\nبيرو,64,87\n",
        {"CHL": (63, 86), "PER": (64, 87)},
    ),
    "names that several languages share": (
        header("País", "Distancia al poder") + "Brasil,69\nBélgica,65\nGrecia,60\n",
        {"BRA": (69,), "BEL": (65,), "GRC": (60,)},
    ),
}
ONLINE = (
    '"Is rain good for you?",,,\n"Wave 7",,,\n,TOTAL,Chile,Peru\n"Very good",30,10.5,49.5\n'
    '"Not so good",64,84.5,43.5\n'
    '"Don\'t know",6,5,7\n"(N)","(2,400)","(1,000)","(1,400)"\n"Selected samples: Chile, Peru",,,\n'
)
VERY = {
    ("CHL", "Very good"): 10.5 / 95,
    ("PER", "Very good"): 49.5 / 93,
    ("PER", "Not so good"): 43.5 / 93,
}
YES = {("CHL", "Yes"): 0.6, ("CHL", "No"): 0.4, ("PER", "Yes"): 0.25, ("PER", "No"): 0.75}
GOQA = {
    "question": "Rain?",
    "selections": {"Peru": [0.25, 0.75], "Chile": [0.6, 0.4]},
    "options": ["Yes", "No"],
}
OWN = header("item", "question", "option", "country", "share")
ROWS = "r,Rain?,Yes,Chile,{}\nr,Rain?,No,Chile,{}\nr,Rain?,Yes,Peru,{}\nr,Rain?,No,Peru,{}\n"
SHARES = {
    "a cross table of a programme's online analysis": (ONLINE, VERY),
    "a table of percents with a sign, and a number of people": (
        'Rain\n"Country","Total","Chile","Peru"\n"Yes","40%","60.0%","25.0%"\n"No","60%","40.0%","75.0%"\n'
        '"(N)","2,200 (100%)","1,000 (100%)","1,200 (100%)"\n'.replace(
            "Rain\n", '"Do you like the rain?"\n'
        ),
        YES,
    ),
    "numbers of people by country": (
        '"Rain or not?",,\n,Chile,Peru\nYes,600,300\nNo,400,900\n(N),1000,1200\n',
        YES,
    ),
    "a volume with the number of people as the first row": (
        "QA1 Is rain good?;;;\n;EU27;CL;PE\nTOTAL;26500;1000;1200\nYes;34%;60%;25%\nNo;66%;40%;75%\n",
        YES,
    ),
    "a topline with a row per country": (
        "Q5. Do you like the rain,,,,\nCountry,Yes,No,DK/Refused (VOL),Total\nChile,54,36,10,100\n"
        "Peru,20,60,20,100\n",
        YES,
    ),
    "a column of questions and one per answer": (
        header("country", "question", "Yes", "No") + "Chile,Rain?,60,40\nPeru,Rain?,25,75\n",
        YES,
    ),
    "totals among the options and the countries": (
        OWN
        + ROWS.format(60, 40, 25, 75)
        + "r,Rain?,Total,Chile,100\nr,Rain?,Yes,Total,50\nr,Rain?,No,Total,50\n",
        YES,
    ),
    "marks, and n/a for who was not asked": (
        OWN
        + ROWS.format("60*", "40", "25", "75 %")
        + "r,Rain?,Yes,Japan,n/a\nr,Rain?,No,Japan,n/a\n",
        YES,
    ),
    "thousands apart": (
        header("item", "question", "option", "country", "count")
        + ROWS.format('"1,200"', "800", "1 000", '"3,000"'),
        YES,
    ),
    "no column of items, and another name for shares": (
        header("question", "country", "option", "probability")
        + "Rain?,Chile,Yes,0.6\nRain?,Chile,No,0.4\n"
        "Rain?,Peru,Yes,0.25\nRain?,Peru,No,0.75\n",
        YES,
    ),
    "a table of all countries with nulls": (
        json.dumps({**GOQA, "selections": {**GOQA["selections"], "Japan": None}}) + "\n",
        YES,
    ),
    "what numpy prints": (
        "question,selections,options,source\nRain?,\"{'Peru': array([0.25, 0.75]), 'Chile': [0.6 0.4]}\","
        "\"['Yes' 'No']\",X\n",
        YES,
    ),
    "columns in JSON": (json.dumps({key: [value] for key, value in GOQA.items()}), YES),
    "rows of a viewer": (
        json.dumps(
            {"rows": [{"row_idx": 0, "row": {**GOQA, "selections": str(GOQA["selections"])}}]}
        ),
        YES,
    ),
    "options by name, by question and country": (
        json.dumps({"Rain?": {"Chile": {"Yes": 60, "No": 40}, "Peru": {"Yes": 25, "No": 75}}}),
        YES,
    ),
    "entries of shares by option": (
        json.dumps(
            [
                {"question": "Rain?", "country": "Chile", "answers": {"Yes": 0.6, "No": 0.4}},
                {"question": "Rain?", "country": "Peru", "answers": {"Yes": 0.25, "No": 0.75}},
            ]
        ),
        YES,
    ),
    "heads in Spanish": (
        "país;pregunta;respuesta;porcentaje\nChile;Rain?;Yes;60\nChile;Rain?;No;40\nPerú;Rain?;Yes;25\n"
        "Perú;Rain?;No;75\n",
        YES,
    ),
    "counts with percents behind": (
        "Is there rain today?,,\nCountry,Yes,No\nChile,600 (60%),400 (40%)\nPeru,300 (25%),900 (75%)\n",
        YES,
    ),
    "nets among the answers of a volume": (
        "QA1 Is rain good?;;;\n;EU27;CL;PE\nTOTAL;26500;1000;1200\nYes, very;14%;40%;5%\nYes;20%;20%;20%\n"
        "No;66%;40%;75%\nTotal 'Yes';34%;60%;25%\nTotal 'No';66%;40%;75%\n",
        {("CHL", "Yes, very"): 0.4, ("PER", "Yes"): 0.2, ("PER", "No"): 0.75},
        3,
    ),
    "boxes behind the answers": (
        "How good is rain?,,,,,\nCountry,Very,Rather,Little,Top 2 Box,Bottom Box\nChile,10,50,40,60,40\n"
        "Peru,5,20,75,25,75\n",
        {("CHL", "Very"): 0.1, ("PER", "Little"): 0.75},
        3,
    ),
    "shares too small to be printed": (
        '"Q2. Is rain good?",,,,,\n,Yes,No,DK/Refused,Total,N=\nChile,60,40,*,100,"1,011"\n'
        "Peru,25,75,<1,100,1009\n",
        YES,
    ),
    "points between the thousands of people": (
        "item;question;option;country;count\nr;Rain?;Yes;Chile;1.200\nr;Rain?;No;Chile;800\n"
        "r;Rain?;Yes;Peru;250\nr;Rain?;No;Peru;750\n",
        YES,
    ),
    "points between the thousands of a cross table": (
        '"Rain or not?";;\n;Chile;Peru\nYes;1.200;300\nNo;800;900\n(N);(2.000);(1.200)\n',
        YES,
    ),
    "a column per country in the form of a data set": (
        header("question", "options", "Chile", "Peru", "Japan", "source")
        + 'Rain?,"[\'Yes\', \'No\']","[0.6, 0.4]","[0.25, 0.75]",,own\n',
        YES,
    ),
    "a column per country, with the name of the table before it": (
        header("question", "options", "selections.Chile", "selections.Peru")
        + 'Rain?,"[\'Yes\', \'No\']","[0.6, 0.4]","[0.25, 0.75]"\n',
        YES,
    ),
    "a key per country": (
        json.dumps(
            {
                "question": "Rain?",
                "options": ["Yes", "No"],
                "Chile": [0.6, 0.4],
                "Peru": [0.25, 0.75],
                "Japan": None,
            }
        )
        + "\n",
        YES,
    ),
    "rows of our own form as objects": (
        json.dumps(
            [
                {"question": "Rain?", "option": o, "country": c, "share": s}
                for (c, o), s in (
                    (("Chile", "Yes"), 60),
                    (("Chile", "No"), 40),
                    (("Peru", "Yes"), 25),
                    (("Peru", "No"), 75),
                )
            ]
        ),
        YES,
    ),
    "the question as the head of the answers, decimal commas beside thousands": (
        "P1. Is rain good?;Chile;Peru;Total\nYes;60,0%;25,0%;50,0%\nNo;40,0%;75,0%;50,0%\n"
        "(N);1.200;1.000;2.200\n",
        YES,
    ),
    "Spanish answers that are codes of countries": (
        "¿Le gusta la lluvia (rain)?,Chile,Peru\nSí,60,40\nNo,40,60\n",
        {("CHL", "Sí"): 0.6, ("PER", "Sí"): 0.4},
    ),
    "an export with columns on whom it counts": (
        header("Geography", "Time", "Demographic", "Question", "Yes", "No", "DK/RF", "N Size")
        + "Chile,2022,Aggregate,Rain?,54%,36%,10%,1000\nPeru,2022,Aggregate,Rain?,20%,60%,20%,1000\n",
        YES,
    ),
    "codes that pandas wrote as fractions": (
        OWN + "r,Rain?,1.0,Chile,60\nr,Rain?,2.0,Chile,40\nr,Rain?,1,Peru,25\nr,Rain?,2,Peru,75\n",
        {("CHL", "1"): 0.6, ("CHL", "2"): 0.4, ("PER", "1"): 0.25, ("PER", "2"): 0.75},
    ),
    "a percent sign before each answer": (
        "Do you like rain?,,\nCountry,% Yes,% No\nChile,60,40\nPeru,25,75\n",
        YES,
    ),
    "numbers of people beside percents": (
        "Is there rain today?,,,,\n,Chile,,Peru,\n,N,%,N,%\nYes,600,60,300,25\nNo,400,40,900,75\n",
        YES,
    ),
    "pandas' index": (json.dumps({"0": {**GOQA, "source": "own"}}), YES),
    "UTF-16": ((OWN + ROWS.format(60, 40, 25, 75)).encode("utf-16"), YES),
}
QUESTIONS = {
    "a data dictionary of REDCap": (
        '"Variable / Field Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"\n'
        'r,radio,"Do you like rain?","1, Yes, much | 2, No | 99, Refused"\n',
        {"r": ("Do you like rain?", ("Yes, much", "No"), (1, 2))},
    ),
    "a code book of DDI": (
        '<?xml version="1.0"?><codeBook xmlns="ddi:codebook:2_5"><dataDscr><var name="r"><labl>Rain</labl>'
        "<labl>Rain</labl><qstn><qstnLit>Do you like rain?</qstnLit></qstn><catgry><catValu>0</catValu>"
        "<labl>No</labl></catgry>"
        '<catgry><catValu>1</catValu><labl>Yes</labl></catgry><catgry missing="Y"><catValu>9</catValu>'
        "<labl>Gone</labl></catgry></var></dataDscr></codeBook>",
        {"r": ("Do you like rain?", ("No", "Yes"), (0, 1))},
    ),
    "a row per code": (
        header("Variable", "Label", "Code", "Category")
        + "r,Rain?,2,No\nr,Rain?,1,Yes\nr,Rain?,-1,No answer\n",
        {"r": ("Rain?", ("No", "Yes"), (2, 1))},
    ),
    "a table with the options as a Python table": (
        ",key,question,references,option_mapping\n"
        "0,r,Rain?,\"['A']\",\"{1.0: 'Yes', 2.0: 'No', 99.0: 'Refused'}\"\n",
        {"r": ("Rain?", ("Yes", "No"), (1, 2))},
    ),
    "all codes in one cell": (
        'variable,label,values\nr,Rain?,"2=Yes; 1=No; -5=Gone; 9=Don\'t know"\n',
        {"r": ("Rain?", ("Yes", "No"), (2, 1))},
    ),
    "all codes in one cell, a line each": (
        'Name,Question,Coding\nr,Rain?,"1: Yes, much\n2: No"\n',
        {"r": ("Rain?", ("Yes, much", "No"), (1, 2))},
    ),
    "codes in a cell beside numbers of questions": (
        header("Question Number", "Question", "Values", "Value Labels")
        + 'Q1,How old are you?,18-99,"-1=Missing"\nr,Rain?,"1, 2, 9","1=Yes, 2=No, 9=Don\'t know"\n'
        's,Sun?,"1, 2","1=Much, 2=Little"\n',
        {"r": ("Rain?", ("Yes", "No"), (1, 2)), "s": ("Sun?", ("Much", "Little"), (1, 2))},
    ),
    "codes in a cell beside names under a head of their own": (
        header("Bezeichner", "question", "value labels") + 'r,Rain?,"1 = Yes; 2 = No"\n',
        {"r": ("Rain?", ("Yes", "No"), (1, 2))},
    ),
    "what SPSS prints": (
        "Variable Values,,\nValue,,Label\nr,1,Yes\n,2,No\n,-1,Don't know\ns,1,Much\n,2,Little\n",
        {"r": ("r", ("Yes", "No"), (1, 2)), "s": ("s", ("Much", "Little"), (1, 2))},
    ),
    "codes behind commas": (
        'id,question,value labels\nr,Rain?,"1 = Yes, 2 = No"\n',
        {"r": ("Rain?", ("Yes", "No"), (1, 2))},
    ),
    "options in columns": (
        header("id", "question", "option_a", "option_b", "option_c") + "r,Rain?,Yes,No,\n",
        {"r": ("Rain?", ("Yes", "No"), (1, 2))},
    ),
    "questions with choices in JSON": (
        json.dumps([{"id": "r", "question": "Rain?", "choices": ["1. Yes", "3. No"]}]),
        {"r": ("Rain?", ("Yes", "No"), (1, 3))},
    ),
}
RESPONDENTS = "these look like the rows of respondents"
NAMED = {
    "an own line of names is missing": (
        "Chile,63,23\nPeru,64,16\n",
        "its first line names no columns; write them above it, such as country,PDI",
    ),
    "several years": (
        header("country", "year", "PDI") + "Chile,1990,63\nChile,2000,60\n",
        "the column 'year' has several values (1990, 2000); keep the rows of one",
    ),
    "years as columns behind several in the first cell": (
        "freq,unit,geo\\TIME_PERIOD\t2013 \t2018 \nA,RTG,AT\t7.8 \t8.0 \nA,RTG,BE\t7.6 \t7.6 b\n",
        "its columns are years (2013, 2018); keep one of them and write into its head",
    ),
    "Chinese in the encoding of Windows": (
        "国家,权力距离\n智利,63\n".encode("gb18030"),
        "in China GB18030",
    ),
    "years as columns": (
        header("Country Name", "2019", "2020") + "Chile,1,2\nPeru,2,3\n",
        "its columns are years",
    ),
    "noughts for what is missing": (
        header("country", "PDI", "IVR") + "Chile,63,68\nKenya,70,0\n",
        "1 figures are 0, which some copies print for a missing one (IVR of Kenya)",
    ),
    "a percent sign in one cell": (
        header("country", "PDI") + "Chile,63%\nPeru,64\n",
        "PDI is '63%', not a number",
    ),
    "a state that is no more": (
        header("country", "PDI") + "Yugoslavia,76\nPeru,64\n",
        "Unknown country 'Yugoslavia'",
    ),
    "a cross table without its question": (
        header("Country", "Yes", "No") + "Chile,60,40\nPeru,25,75\n",
        "the question is missing; write it in a line above",
    ),
    "several waves of a topline": (
        "How is the weather now?,,,\nCountry,Survey,Good,Bad\nPeru,2019,60,40\nPeru,2017,5,95\n",
        "'Survey' has several values (2019, 2017)",
    ),
    "people of Western Europe's Windows": (
        "Land;PDI\nÖsterreich;11\n".encode("cp1252"),
        "iconv -f WINDOWS-1252",
    ),
    "a text laid out by blanks": (
        "country PDI\nChile 63\n",
        "laid out by blanks has to be saved as CSV",
    ),
    "questions as plain text": (
        "Do you like rain?\nHow often do you walk?\n",
        "questions are written down in YAML",
    ),
    "questions in YAML of another form": ("- Do you like rain?\n", "scales: {yn:"),
    "a file of R": (b"X\n\0\0\0\x03....", "write.csv"),
    "a PDF": (b"%PDF-1.7", "PDF"),
    "shares without the questions": (
        header("country", "variable", "value", "percent") + "Peru,r,1,60\nPeru,r,2,40\n",
        "the column 'question' is missing",
    ),
    "several answers of one person": (OWN + ROWS.format(60, 70, 25, 75), "sum to 130, not to 100"),
    "a count that sums up the others": (
        header("item", "question", "option", "country", "count")
        + ROWS.format(60, 40, 25, 75)
        + "r,Rain?,All,Peru,100\n",
        "that of all other answers together",
    ),
    "rows of people under ISO's numbers": (
        header("A_WAVE", "B_COUNTRY", "W_WEIGHT", "Q1") + "7,152,1.1,1\n" + 3 * "7,604,0.9,2\n",
        f"{RESPONDENTS}, one per person; `bbalign surveys tabulate it.csv --country B_COUNTRY "
        "--weight W_WEIGHT`",
    ),
    "rows of people of a form": (
        header("Timestamp", "Which country do you live in?", "Rain?")
        + "2021/01/01 10:00,Peru,Yes\n",
        "--country 'Which country do you live in?'",
    ),
    "ranges that Excel made dates of": (
        OWN + "h,How many hours?,2-Jan,Chile,40\nh,How many hours?,3+,Chile,60\n",
        "2-Jan among the options of 'h' are dates, which Excel makes of ranges",
    ),
    "one index in another unit": (
        header("country", "PDI", "IDV") + "Chile,0.63,23\nPeru,0.64,16\n",
        "all figures of PDI lie between 0 and 1",
    ),
    "means of another scale under the same names": (
        header("country", "Power Distance", "Uncertainty Avoidance")
        + "Chile,5.2,4.0\nPeru,4.6,4.3\nJapan,5.1,4.1\n",
        "all figures lie between 0 and 10 (4 to 5.2)",
    ),
    "shares of groups of people in a cross table": (
        "Is rain good?,,\nGroup,Yes,No\nYoung,60,40\nOld,25,75\n",
        "shares of groups of people, and not of countries",
    ),
    "one year as a column": (
        header("Country Name", "Series Name", "2020 [YR2020]") + "Chile,Trust,12\nPeru,Trust,13\n",
        "its columns are years",
    ),
    "heads that are missing": (
        "Is rain good?,,,\n,,Yes,No\nChile,2022,60,40\nPeru,2022,25,75\n",
        "the columns 1, 2 have no names here",
    ),
    "merged cells": (
        OWN + "r,Rain?,Yes,Chile,60\n,,No,Chile,40\n",
        "where cells were merged, write",
    ),
    "nets alone": (
        "Rain is good.,,\nCountry,Top 2 Box,Bottom 2 Box\nChile,40,60\nPeru,50,50\n",
        "Top 2 Box, Bottom 2 Box sum up answers",
    ),
    "letters of tests of significance": (
        "Is rain good?,,\n,Chile,Peru\nYes,60 B,25\nNo,40,75 A\n",
        "some cells are none (60 B, 75 A); leave in them the figures alone",
    ),
    "rows of few people under two codes": (
        header("CASEID", "c_alphan", "country", "WEIGHT", "v5")
        + "1,CL,152,1.1,1\n2,CL,152,0.9,2\n3,PE,604,1,2\n",
        "--country country --weight WEIGHT`",
    ),
    "JSON rows without names": ('[["Rain?", "Yes"], ["Rain?", "No"]]', "orient='records'"),
    "DDI's other form": (
        '<?xml version="1.0"?><ddi:DDIInstance xmlns:ddi="ddi:instance:3_2"/>',
        "DDI Lifecycle",
    ),
}


def held(content, folder, name="it.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path)


def shares_of(opinions):
    return {
        (d.sample.country, option): share
        for d in opinions.distributions
        for option, share in zip(opinions.items[d.item].scale.options, d.shares, strict=True)
    }


@pytest.mark.parametrize("kind", TARGETS)
def test_figures_of_each_kind(kind, tmp_path):
    """Each country has its own figures, in every cell that the file has, and no other row is read."""
    content, figures = TARGETS[kind]
    targets = held(content, tmp_path)
    assert isinstance(targets, TargetSet)
    assert targets.figures.keys() == figures.keys()
    for code, row in figures.items():
        assert targets.figures[code] == pytest.approx(
            [math.nan if v is None else v for v in row], nan_ok=True
        )
    assert check(targets).tables["figures"][1]


@pytest.mark.parametrize("kind", SHARES)
def test_shares_of_each_kind(kind, tmp_path):
    """Each share is its option's in its country, without those who gave no answer; no total is a country."""
    content, expected, *many = SHARES[kind]
    opinions = held(content, tmp_path)
    found = shares_of(opinions)
    assert {code for code, _ in found} == {"CHL", "PER"} and opinions.countries.keys() == {
        "CHL",
        "PER",
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    (item,) = opinions.survey.items
    assert [len(item.scale)] == (many or [2]) and "ain" in item.text


@pytest.mark.parametrize("kind", QUESTIONS)
def test_questions_of_each_kind(kind, tmp_path):
    """Questions, answers in their order and codes are the file's; what is declared as no answer is none."""
    content, expected = QUESTIONS[kind]
    survey = held(content, tmp_path)
    found = {item.id: (item.text, item.scale.options, item.scale.codes) for item in survey.items}
    assert found == expected


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_named_of_each_kind(kind, tmp_path):
    """A file that cannot be read as it is says what it is, and what to do."""
    content, sentence = NAMED[kind]
    with pytest.raises(BlackboxAlignError) as raised:
        held(content, tmp_path, "it.yaml" if "YAML" in kind else "it.csv")
    assert sentence in str(raised.value)


SEVERAL = {
    "below each other, the heads again": "Q1. Is rain good?\n,Chile,Peru\nYes,60,25\nNo,40,75\n\n"
    "Q2. How do you like sun?\n,Chile,Peru\nMuch,70,55\nLittle,30,45\n",
    "as rows without a figure": ",Chile,Peru\nQ1. Is rain good?,,\nYes,60,25\nNo,40,75\n"
    "Q2. How do you like sun?,,\nMuch,70,55\nLittle,30,45\n",
    "side by side, under heads in two rows": 'Country,"Q1. Is rain good?",,"Q2. How do you like sun?",\n'
    ",Yes,No,Much,Little\nChile,60,40,70,30\nPeru,25,75,55,45\n",
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_questions_in_one_table(kind, tmp_path):
    """Each question has its own answers and shares; none is an answer of another one."""
    opinions = held(SEVERAL[kind], tmp_path)
    asked = [(item.text, item.scale.options) for item in opinions.survey.items]
    assert asked == [
        ("Q1. Is rain good?", ("Yes", "No")),
        ("Q2. How do you like sun?", ("Much", "Little")),
    ]
    sun = {
        ("CHL", "Much"): 0.7,
        ("CHL", "Little"): 0.3,
        ("PER", "Much"): 0.55,
        ("PER", "Little"): 0.45,
    }
    assert shares_of(opinions) == pytest.approx({**YES, **sun})


def test_percents_that_sum_to_more_are_not_scaled(tmp_path):
    """Several answers of one person, or nets that have no name: the country is left out, and why is said."""
    content = "Which do you like?,,,\n,Chile,Peru,Japan\nRain,60,60,75\nSun,40,40,95\n"
    opinions = held(content, tmp_path)
    assert opinions.countries.keys() == {"CHL", "PER"}
    (reason,) = opinions.report.dropped
    assert "do not sum to 1 but to more" in reason


DRESSES = {
    "of Windows": lambda text: _written(text, ",", "\r\n", ["", ""]).encode("utf-8-sig"),
    "of another program": lambda text: _written(text, "|", "\n", []).encode("utf-16"),
}


def _written(text, separator, ending, behind):
    rows = [[*row, *behind] for row in csv.reader(io.StringIO(text, newline=""))]
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=ending).writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("dress", DRESSES)
def test_a_table_is_the_same_in_every_dress(dress, tmp_path):
    """Separator, encoding, ends of lines and empty columns change no figure of any kind with commas."""
    kinds = {**TARGETS, **SHARES, **QUESTIONS}
    texts = [kind[0] for kind in kinds.values() if isinstance(kind[0], str)]
    texts = [
        t
        for t in texts
        if not ({";", "|", "\t"} & set(t)) and t[0] not in "{[<" and not t.startswith('"c')
    ]
    assert len(texts) > 30
    for text in texts[int(dress == "of Windows") :: 2]:
        plain, other = held(text, tmp_path), held(DRESSES[dress](text), tmp_path)
        assert check(plain).tables == check(other).tables
        if hasattr(plain, "distributions"):
            assert shares_of(plain) == shares_of(other)
