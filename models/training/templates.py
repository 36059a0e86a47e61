"""Composes attacks and their benign twins from hand-written phrases (phrases/), in 26 languages.

phrases/first/LANG.json     documents, sentences planted for a model, notes for people, requests of each kind
phrases/second/LANG.json    the same kinds in other words, for the second stage of training
phrases/short.json          short overrides, extractions, jailbreaks and harmless trigger sentences
phrases/planted.json        English frames, acts and notes for injections into gathered documents
phrases/english_benign.json English trigger-word and security requests with slots

All of it was written for this project. Every function takes a `random.Random`, so a seed gives the same rows.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "phrases"
DENSE_SCRIPTS = {"zh", "ja", "ko", "th"}
NO_SPACE = {"zh", "ja", "th"}


def _read(name):
    return json.loads((FOLDER / name).read_text())


SHORT = _read("short.json")
PLANTED = _read("planted.json")
ENGLISH = _read("english_benign.json")


def read_phrases(name):
    """{language: phrases} of one folder; what a language lacks there comes from the first."""
    languages = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "first").glob("*.json"))}
    for path in (FOLDER / name).glob("*.json"):
        languages[path.stem].update(json.loads(path.read_text()))
    return languages


JOINERS = ["\n", "\n\n", " ", " ", "\n---\n", "\n- ", "\n> "]


def row(text, label, kind, language, source):
    return {"text": text.strip(), "label": label, "kind": kind, "lang": language, "source": source}


def sentence_end(text, language):
    return text if text[-1] in ".?!。؟？！।:：" else text + ("。" if language in NO_SPACE else ".")


def join_sentences(sentences, language, random):
    """One text in the layout of a message, a paragraph or lines."""
    space = "" if language in NO_SPACE else " "
    return random.choice([space, space, "\n", "\n\n"]).join(sentences)


def some_document(phrases, random):
    """The sentences of one ordinary document, sometimes of two."""
    chosen = list(random.choice(phrases["documents"]))
    if random.random() < 0.4:
        chosen += random.choice(phrases["documents"])
    return chosen


def phrases_whole(phrases):
    """How often a planted sentence is a whole written one, not a frame with an act: as far as there are enough."""
    return 0.3 if len(phrases["planted"]) < 8 else 0.6


def planted_sentence(phrases, language, random):
    """A sentence in a document that gives orders to the model which reads it."""
    if random.random() < phrases_whole(phrases):
        return random.choice(phrases["planted"])
    act = random.choice(phrases["acts"])
    if random.random() < 0.2:
        space = "" if language in NO_SPACE else " "
        act += space + random.choice(phrases["acts"])
    return random.choice(phrases["frames"]).format(act=act)


def insert(sentences, extra, random):
    """The sentences with `extra` somewhere among them, more often near the end."""
    place = max(random.randint(0, len(sentences)), random.randint(0, len(sentences)))
    return sentences[:place] + [extra] + sentences[place:]


def document_rows(phrases, language, count, random):
    """Per step: a document with an order for the model, one with a note for people, now and then a clean one."""
    source = "phrases_document"
    for step in range(count):
        sentences = some_document(phrases, random)
        planted = insert(sentences, planted_sentence(phrases, language, random), random)
        yield row(join_sentences(planted, language, random), 1, "injection-indirect", language, source)
        noted = insert(sentences, random.choice(phrases["notes"]), random)
        if random.random() < 0.3:
            noted = insert(noted, random.choice(phrases["notes"]), random)
        yield row(join_sentences(noted, language, random), 0, "benign-document", language, source)
        if step % 3 == 0:
            yield row(join_sentences(sentences, language, random), 0, "benign-document", language, source)


REQUESTS = [
    ("override", 1, "injection-direct"),
    ("extract", 1, "extraction"),
    ("jailbreak", 1, "jailbreak"),
    ("trigger", 0, "benign-trigger"),
    ("roleplay", 0, "benign-roleplay"),
    ("security", 0, "benign-security"),
    ("question", 0, "benign-question"),
]


def request_rows(phrases, language, random):
    """Every written request as it is, then joined with harmless ones, which keeps its label."""
    space = "" if language in NO_SPACE else " "
    harmless = [text for name, label, _ in REQUESTS if label == 0 for text in phrases[name]]
    attacks = [text for name, label, _ in REQUESTS if label == 1 for text in phrases[name]]
    for name, label, kind in REQUESTS:
        for text in phrases[name]:
            yield row(text, label, kind, language, "phrases_request")
            for _ in range(3 if label else 2):
                other = sentence_end(random.choice(harmless), language)
                pair = [sentence_end(text, language), other]
                if random.random() < 0.6:
                    pair.reverse()
                yield row(random.choice([space, space, "\n"]).join(pair), label, kind, language, "phrases_request")
    for _ in range(25):
        pair = [sentence_end(text, language) for text in random.sample(attacks, 2)]
        yield row(space.join(pair), 1, "injection-direct", language, "phrases_request")


def short_attack(language, random):
    """An override, extraction or jailbreak of one or two short sentences."""
    phrases = SHORT[language]
    space = "" if language in NO_SPACE else " "
    override, extract, jailbreak = (random.choice(phrases[k]) for k in ("override", "extract", "jailbreak"))
    form = random.random()
    if form < 0.3:
        return override + space + random.choice(phrases["target"])
    if form < 0.45:
        return override
    if form < 0.6:
        return extract
    if form < 0.75:
        return sentence_end(override, language) + space + extract
    if form < 0.9:
        return sentence_end(jailbreak, language) + space + random.choice([extract, override])
    return jailbreak


def short_rows(language, carriers, attacks, random):
    """Short attacks, alone and beside text of the language; trigger sentences and carriers as their twins."""
    source = "phrases_short"
    for _ in range(attacks):
        text = short_attack(language, random)
        carrier = random.choice(carriers)[:220]
        place = random.random()
        if place < 0.35:
            text = carrier + random.choice(["\n", " ", "\n\n"]) + text
        elif place < 0.45:
            text = text + random.choice(["\n", " ", "\n\n"]) + carrier
        yield row(text, 1, "injection-direct", language, source)
    for text in SHORT[language]["trigger"]:
        yield row(text, 0, "benign-trigger", language, source)
        for _ in range(attacks // 15):
            pair = [text, random.choice(carriers)[:200]]
            random.shuffle(pair)
            yield row(" ".join(pair), 0, "benign-trigger", language, source)
    for _ in range(attacks // 3):
        text = random.choice(carriers)[:220] + random.choice([" ", "\n"]) + random.choice(carriers)[:200]
        yield row(text, 0, "benign-document", language, source)


def english_trigger_rows(count_each, random):
    for text in ENGLISH["trigger"]:
        for _ in range(count_each):
            filled = text.format(thing=random.choice(ENGLISH["things"]), topic=random.choice(ENGLISH["topics"]))
            yield row(filled, 0, "benign-trigger", "en", "phrases_trigger")


def english_security_rows(headings, count, random):
    for _ in range(count):
        text = random.choice(ENGLISH["security"]).format(heading=random.choice(headings))
        yield row(text, 0, "benign-security", "en", "phrases_security")


def _fill(text, random):
    word, number = random.choice(PLANTED["words"]), random.randint(10, 9999)
    code = f"{random.choice(['US', 'DE', '0800', '4470'])}-{random.randint(10000, 999999)}"
    email = random.choice(PLANTED["emails"]).format(word=random.choice(PLANTED["words"]), number=number)
    url = random.choice(PLANTED["urls"]).format(word=random.choice(PLANTED["words"]), number=number)
    return text.format(email=email, url=url, word=word, number=number, code=code)


def english_planted(random):
    """An English order to a model, to be put into a gathered document."""
    act = _fill(random.choice(PLANTED["acts"]), random)
    if random.random() < 0.2:
        act += " and " + _fill(random.choice(PLANTED["acts"]), random)
    return random.choice(PLANTED["openings"]).format(act=act, Act=act[0].upper() + act[1:])


def english_note(random):
    """One or two English sentences of the kind that documents hold for people."""
    return " ".join(random.sample(PLANTED["notes"], random.randint(1, 2)))
