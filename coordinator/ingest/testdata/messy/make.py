#!/usr/bin/python3
"""Makes 40 ordinary messy files, and what pandas reads from them (pandas.json).

Each case has a file, the options with which pandas reads what the file means, and the
fields of `data` with which a job reads it. Run it in this folder with Debian's
python3-pandas 1.5.3. The Go test TestMessyFiles compares.
"""
import json, math, zipfile
import pandas as pd

PLAIN = "a,b,y\n1,red,1\n2.5,blue,2\n,red,3\n"
cases = []


def case(name, content, what, data=None, left_out=(), refused=None, then=None, label="y", **options):
    """Adds a case. then changes what pandas read into what the columns mean."""
    if isinstance(content, str):
        content = content.encode()
    with open(name, "wb") as f:
        f.write(content)
    shown = ", ".join(f"{k}={v!r}".replace("<class 'str'>", "str") for k, v in options.items() if not callable(v) and k != "converters")
    if "converters" in options:
        shown = ", ".join(filter(None, [shown, "converters={…}"]))
    c = {"file": name, "what": what, "data": data or {}, "label": label, "left_out": list(left_out), "pandas": shown}
    if refused:
        c["refused"] = refused
    try:
        read = pd.read_json if name.endswith(".jsonl") else pd.read_csv
        frame = read(name, **options)
        if then:
            frame = then(frame)
            c["pandas"] += ", then .dt" if "date" in name else ", then renamed"
        c["columns"] = [column(str(k), frame[k]) for k in frame.columns]
    except Exception as e:
        c["error"] = type(e).__name__
    cases.append(c)


def column(name, values):
    number = values.dtype != object
    cells = [None if v is None or (isinstance(v, float) and math.isnan(v)) or v is pd.NaT else float(v) if number else str(v) for v in values]
    return {"name": name, "number": number, "cells": [c if c is None or not number or math.isfinite(c) else repr(c) for c in cells]}


def money(text):
    return float(text.replace("$", "").replace(",", "")) if text else math.nan


def percent(text):
    return float(text.rstrip("% ")) / 100 if text else math.nan


def parts(frame):
    frame = frame.copy()
    day = frame["day"].dt
    frame["day.weekday"], frame["day.month"] = day.weekday, day.month
    return frame[["day.weekday", "day.month", "y"]]


def numbered(frame):
    frame.columns = [f"x{i}" for i in range(len(frame.columns))]
    return frame


date = {"columns": {"day": {"type": "date", "parts": ["weekday", "month"]}}}
case("plain.csv", PLAIN, "commas, an empty cell")
case("semicolon.csv", PLAIN.replace(",", ";"), "semicolons", sep=";")
case("tab.tsv", PLAIN.replace(",", "\t"), "tabs", sep="\t")
case("bar.csv", PLAIN.replace(",", "|"), "bars", sep="|")
case("aligned.csv", "a   b      y\n1   red    1\n2.5 blue   2\n10  red    3\n", "columns aligned by spaces", {"csv": {"delimiter": "whitespace"}}, sep=r"\s+")
case("decimal-comma.csv", "a;b;y\n1,5;red;1\n2;blue;2\n1000,25;red;3\n", "semicolons and decimal commas", sep=";", decimal=",")
case("german.csv", "a;b;y\n1.234,5;red;1\n2,25;blue;2\n1.000.000;red;3\n", "decimal commas, points between thousands",
     {"csv": {"decimal": ",", "thousands": "."}}, sep=";", decimal=",", thousands=".")
case("thousands.csv", 'a,b,y\n"1,234",red,1\n"12,345,678",blue,2\n999,red,3\n', "commas between thousands", thousands=",")
case("thousands-space.csv", "a;b;y\n1 234;red;1\n12 345 678;blue;2\n999;red;3\n", "spaces between thousands", {"csv": {"thousands": " "}}, sep=";", thousands=" ")
case("bom.csv", b"\xef\xbb\xbf" + PLAIN.encode(), "UTF-8 with a byte order mark, as Excel writes it")
case("utf16.csv", b"\xff\xfe" + PLAIN.replace("red", "rötlich").encode("utf-16-le"), "UTF-16, as Excel's \"Unicode text\"", encoding="utf-16")
case("utf16-be-tab.csv", b"\xfe\xff" + PLAIN.replace("red", "赤").replace(",", "\t").encode("utf-16-be"), "UTF-16, big-endian, tabs", encoding="utf-16", sep="\t")
case("latin1.csv", PLAIN.replace("red", "grün").encode("latin-1"), "Latin-1", {"csv": {"encoding": "latin-1"}}, encoding="latin-1")
case("windows-1252.csv", PLAIN.replace("red", "10 €").encode("cp1252"), "Windows-1252", {"csv": {"encoding": "windows-1252"}}, encoding="cp1252")
case("latin1-unsaid.csv", PLAIN.replace("a,b", "größe,b").encode("latin-1"), "Latin-1, and no option says so", refused="set data.csv.encoding")
case("windows-lines.csv", PLAIN.replace("\n", "\r\n"), "lines end with CR LF")
case("old-mac.csv", PLAIN.replace("\n", "\r"), "lines end with CR")
case("blank-lines.csv", "\n\na,b,y\n\n1,red,1\n\n2,blue,2\n\n\n", "blank lines")
case("no-header.csv", "1,red,1\n2.5,blue,2\n,red,3\n", "no header", {"csv": {"header": False}}, label="x2", header=None, then=numbered)
case("no-header-names.csv", "1,red,1\n2.5,blue,2\n,red,3\n", "no header, given names", {"csv": {"header": False, "names": ["a", "b", "y"]}}, names=["a", "b", "y"])
case("comments.csv", "# measured by hand\na,b,y\n1,red,1 # first\n2.5,blue,2\n# half time\n10,red,3\n", "comments", {"csv": {"comment": "#", "trim": True}}, comment="#")
case("single-quotes.csv", "a,b,y\n1,'red, dark',1\n2,'it''s blue',2\n3,'say \"hi\"',3\n", "single quotes", {"csv": {"quote": "'"}}, quotechar="'")
case("inches.csv", 'a,b,y\n1,5" pipe,1\n2,6" pipe,2\n', "quotes that are text", {"csv": {"quote": "none"}}, quoting=3)
case("quoted.csv", 'a,b,y\n1,"red, dark\nor not",1\n2,"say ""hi""",2\n', "commas, quotes and line breaks in cells")
case("blanks.csv", 'a, b, y\n1, red, 1\n2, "blue, dark", 2\n', "blanks after the commas", {"csv": {"trim": True}}, skipinitialspace=True)
case("missing-numbers.csv", "a,b,y\n1,x,1\nNaN,x,2\nnull,y,3\nN/A,y,4\n#N/A,y,5\n2,y,6\n", "words for missing numbers")
case("missing-texts.csv", "a,b,y\n1,x,1\n2,nan,2\n3,n/a,3\n4,NULL,4\n", "words for missing texts", {"csv": {"na": "pandas"}})
case("none-is-a-text.csv", "a,b,y\n1,Brick,1\n2,None,2\n3,NA,3\n", "a category None", keep_default_na=False, na_values=["", "NA"])
case("question-marks.csv", "a,b,y\n1,x,1\n?,?,2\n-,y,3\n", "? and - are missing", {"csv": {"na": ["?", "-"]}}, na_values=["?", "-"])
case("index.csv", ",a,b,y\n0,5,red,1\n1,6,blue,2\n2,7,red,3\n", "the index that DataFrame.to_csv writes", left_out=["Unnamed: 0"])
case("trailing-commas.csv", "a,b,y,\n5,red,1,\n6,blue,2,\n", "a comma at the end of each line", left_out=["Unnamed: 3"])
case("zip-codes.csv", "zip,a,y\n01067,1,1\n10115,2,2\n80331,3,3\n", "identifiers with leading zeros", dtype={"zip": str})
case("currency.csv", 'a,b,y\n"$1,234.50",red,1\n$2,blue,2\n-$3,red,3\n', "amounts with a currency sign", converters={"a": money})
case("percent.csv", "a,b,y\n12.5%,red,1\n3%,blue,2\n100%,red,3\n", "per cent", converters={"a": percent})
case("yes-no.csv", "a,b,y\nyes,red,1\nno,blue,2\nyes,red,3\n", "yes and no", {"columns": {"a": {"type": "boolean"}}}, true_values=["yes"], false_values=["no"])
case("date.csv", "day,y\n2024-01-31,1\n2024-02-25 13:45:00,2\n2023-12-24,3\n", "dates", date, parse_dates=["day"], then=parts)
case("date-ambiguous.csv", "day,y\n01/02/2024,1\n03/04/2024,2\n", "dates that may begin with the day or the month", date, parse_dates=["day"], then=parts,
     refused="set data.columns.day.format")
case("short-row.csv", "a,b,y\n1,red,1\n2,blue\n", "a row that lacks a cell", refused="write an empty cell for a missing value")
case("same-name.csv", "a,a,y\n1,red,1\n2,blue,2\n", "two columns of one name", refused="give all columns names of their own, in the file or in data.csv.names")
packed = PLAIN.encode()
with zipfile.ZipFile("packed.csv.zip", "w") as z:
    z.writestr(zipfile.ZipInfo("plain.csv"), packed)
with open("packed.csv.zip", "rb") as f:
    case("packed.csv.zip", f.read(), "packed: .zip (.gz, .zst and .bz2 as well)")
assert len(cases) == 40, len(cases)
with open("pandas.json", "w") as f:
    json.dump(cases, f, indent=1, ensure_ascii=False)
    f.write("\n")
