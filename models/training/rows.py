"""Makes the training rows of one stage: JSON lines {"text", "label", "kind", "lang", "source", "visits"}.

Gathered texts are capped by source and cut to one window's length; carriers, planted orders with their
human-addressed twins, hand-written phrases, noise on both classes and mined hard negatives are added.
`visits` says how often a row is seen in the run; plans/ says how many of each kind are taken. Nothing of
dev/ is used: its texts are read only to drop equal rows.
"""

import argparse
import collections
import hashlib
import json
import random
import re
import unicodedata
from pathlib import Path

import jsonl
import templates

SEGMENT = 380  # characters in one row, about 85 tokens
SEGMENT_DENSE = 170  # the same for Chinese, Japanese, Korean and Thai
WRITTEN = "written_multilingual"

# Words that mark where in a long text an attack (or something that looks like one) stands.
TELLING = re.compile(
    r"ignor|disregard|forget|previous|above|instruct|prompt|pretend|you are now|act as|\bDAN\b|jailbreak|restrict"
    r"|never refus|unfilter|uncensor|bypass|overrid|policy|policies|ethic|moral|illegal|password|secret|reveal"
    r"|developer mode|no longer|from now on|stay in character|hypothetical|respond as|simulate|rules?\b|filter"
    r"|warning|disclaim|must answer|refuse|system|忽略|无视|指令|扮演|PWNED|access granted",
    re.I,
)
# A benign label beside this wording is probably wrong; sources in TRUSTED are read by their nature.
LIKELY_ATTACK = re.compile(
    r"(ignore|disregard|forget|override|bypass|drop)\b[^.\n]{0,30}\b(instruction|rule|prompt|restriction|guideline"
    r"|polic|safet|filter|training|direction)|\bDAN\b|jailbr[eo]a?k|no (restrictions|limits|rules|filter)"
    r"|unrestricted|uncensored|unfiltered|system prompt|do anything now|without (any )?(restrict|limit|censor|filter)"
    r"|developer mode|(reveal|print|show|repeat|output)\b[^.\n]{0,20}\b(instruction|prompt|secret|password)"
    r"|忽略[^。]{0,12}(指令|规则|指示)",
    re.I,
)
TRUSTED = {"security_docs", "gpts_prompts", "spml_system_prompts", "code_files", "httpd_manual", "gh_issues"}
DOUBTFUL_SCORE = 3.0  # a linear model's log-odds above which an untrusted benign row is left out

DOCUMENT_SOURCES = (
    "spam_assassin", "injecagent_tools_benign", "gh_issues", "web_demo", "cs763_poisoned", "tldr", "code_files",
    "llmail_fp_emails", "httpd_manual", "self_instruct_t0", "loghub", "security_docs", "xquad", "squad_it",
    "bfcl_tools",
)  # fmt: skip
CARRIER_SOURCES = (
    "xquad", "miracl_mrtydi", "stsb_multi", "squad_it", "tldr", "jglue", "cmrc2018", "httpd_manual",
)  # fmt: skip
TEMPLATED_JAILBREAKS = ("codeattack", "spikee_generated", "injecagent_dh")
LONG_BENIGN_KINDS = ("benign-document", "benign-roleplay", "benign-security", "benign-trigger")
SEAMS = [
    "\n\n", "\n", ". ", " ", "\n---\n", "\n\nNOTE: ", "\n<!-- ", "\nIMPORTANT: ", "\n\nP.S. ", "\n# ", "\n> ",
    "\n* ", "\n// ", '"},\n{"note": "', "<p>",
]  # fmt: skip
SCARCE = 400  # a source with fewer attacks may be seen more often
LEET = str.maketrans("aeiost", "431057")


def fold(text):
    """Letters and digits alone, for finding equal texts."""
    return re.sub(r"[^\w]+", "", unicodedata.normalize("NFKC", text).lower())


def digest(text):
    return hashlib.md5(fold(text).encode()).digest()


def is_dense(text):
    """Whether a quarter of the text's beginning is in a script with many tokens per character."""
    head = text[:400]
    dense = sum(1 for c in head if "\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" or "\u0e00" <= c <= "\u0e7f")
    return dense > 0.25 * max(1, len(head))


def segment_length(text):
    return SEGMENT_DENSE if is_dense(text) else SEGMENT


def cut(text, start, length):
    """`length` characters from about `start`, moved to the next word."""
    start = max(0, min(start, len(text) - length))
    if start > 0:
        space = text.find(" ", start, start + 30)
        if space > 0:
            start = space + 1
    return text[start : start + length]


def telling_window(text, length, rng):
    """The window with the most telling words; without any, the beginning or the end."""
    places = [match.start() for match in TELLING.finditer(text)]
    if not places:
        return cut(text, 0 if rng.random() < 0.6 else len(text) - length, length)
    starts = range(0, max(1, len(text) - length + 1), max(1, length // 4))
    best = max(starts, key=lambda start: sum(1 for place in places if start <= place < start + length))
    return cut(text, best, length)


def near_duplicates_last(rows, rng, copies=2, characters=48):
    """Shuffled, with rows whose beginning was seen `copies` times already moved to the end, where caps cut."""
    rng.shuffle(rows)
    seen = collections.Counter()
    first, rest = [], []
    for row in rows:
        prefix = fold(row["text"])[:characters]
        seen[prefix] += 1
        (first if seen[prefix] <= copies else rest).append(row)
    return first + rest


def put_into(piece, document, rng, length=SEGMENT):
    """`piece` at the end, the start or inside of a part of `document`."""
    room = max(60, length - len(piece) - 10)
    part = cut(document, rng.randint(0, max(0, len(document) - room)), room) if len(document) > room else document
    place, seam = rng.random(), rng.choice(SEAMS)
    if place < 0.35:
        return part + seam + piece
    if place < 0.5:
        return piece + rng.choice(["\n\n", "\n", " "]) + part
    at = part.find(" ", rng.randint(len(part) // 5, max(len(part) // 5, 4 * len(part) // 5)))
    at = len(part) // 2 if at < 0 else at
    return part[:at] + seam + piece + rng.choice(["\n", " ", "\n\n"]) + part[at:]


def noise(text, rng):
    """Spaced letters, leet, dotted letters or typos. Zero-width and look-alike letters are folded before the model."""
    form = rng.random()
    if form < 0.2:
        start = rng.randint(0, max(0, len(text) // 2))
        end = start + rng.randint(20, 60)
        return text[:start] + " ".join(text[start:end]) + text[end:]
    if form < 0.45:
        return text.translate(LEET)
    if form < 0.6:
        return "".join(c + rng.choice("-._*") if c.isalpha() and rng.random() < 0.25 else c for c in text)
    return "".join(("" if rng.random() < 0.3 else c + c) if c.isalpha() and rng.random() < 0.1 else c for c in text)


def read_pool(data: Path):
    """{source: labelled rows of the pool}, without those equal to a row of dev/."""
    held_out = {digest(row["text"]) for rows in jsonl.read_folder(data / "dev").values() for row in rows}
    pool, dropped = {}, 0
    for name, rows in jsonl.read_folder(data / "pool").items():
        rows = [row for row in rows if row["label"] in (0, 1)]
        pool[name] = [dict(row, source=name) for row in rows if digest(row["text"]) not in held_out]
        dropped += len(rows) - len(pool[name])
    print(f"{sum(map(len, pool.values()))} labelled rows, {dropped} equal to a dev row dropped")
    return pool


class Builder:
    """Collects rows from the pool and from the templates."""

    def __init__(self, data: Path, plan: dict):
        self.plan, self.counts = plan, plan["counts"]
        self.written_phrases = templates.read_phrases(plan["phrases"])
        self.rng = random.Random(plan["seed"])
        self.rows = []
        self.pool = read_pool(data)

    def add(self, text, label, kind, language, source):
        text = text.replace("\x00", " ").strip()
        if len(text) >= 2:
            self.rows.append({"text": text, "label": label, "kind": kind, "lang": language, "source": source})

    def cap(self, label, source):
        caps = self.plan["attacks" if label else "benign"]
        return caps.get(source, caps["default"])

    def texts(self, sources, label=0, length_min=0):
        return [
            row["text"]
            for source in sources
            for row in self.pool.get(source, [])
            if row["label"] == label and len(row["text"]) > length_min
        ]

    def gathered(self):
        """Texts of the pool, capped and cut to a window; BIPIA's at the place where the attack was put in."""
        clean = {
            line.strip() for row in self.pool["bipia_train"] if row["label"] == 0 for line in row["text"].split("\n")
        }
        self.plain_tasks = []
        for source, rows in self.pool.items():
            if source == WRITTEN:
                continue
            attacks = near_duplicates_last([row for row in rows if row["label"] == 1], self.rng)
            for row in attacks[: self.cap(1, source)]:
                self.gathered_attack(row, clean if source == "bipia_train" else None)
            benign = near_duplicates_last([row for row in rows if row["label"] == 0], self.rng, copies=3)
            for row in benign[: self.cap(0, source)]:
                self.gathered_benign(row)

    def gathered_attack(self, row, clean_lines):
        text, rest = row["text"], (1, row["kind"], row["lang"], row["source"])
        length = segment_length(text)
        if clean_lines is not None:
            injected = [line for line in text.split("\n") if line.strip() and line.strip() not in clean_lines]
            if injected:
                self.plain_tasks.append("\n".join(injected)[:300])
                start = text.find(injected[0]) - self.rng.randint(0, 220)
                self.add(cut(text, start, length) if len(text) > length else text, *rest)
        elif len(text) <= length:
            self.add(text, *rest)
        else:
            self.add(telling_window(text, length, self.rng), *rest)
            if row["kind"] == "jailbreak" and row["source"] not in TEMPLATED_JAILBREAKS:
                self.add(text[:length], *rest)

    def gathered_benign(self, row):
        text, rest = row["text"], (0, row["kind"], row["lang"], row["source"])
        length = segment_length(text)
        if len(text) <= length:
            self.add(text, *rest)
            return
        start = 0 if self.rng.random() < 0.4 else self.rng.randint(0, len(text) - length)
        self.add(cut(text, start, length), *rest)
        if row["kind"] in LONG_BENIGN_KINDS:
            self.add(telling_window(text, length, self.rng), *rest)
            for _ in range(self.counts["extra_windows"]):
                self.add(cut(text, self.rng.randint(0, len(text) - length), length), *rest)

    def carriers(self):
        """Short attacks and, as often, short harmless texts put into gathered documents."""
        documents = self.texts(DOCUMENT_SOURCES, length_min=150)
        attack_kinds = ("injection-direct", "injection-indirect", "extraction")
        benign_kinds = ("benign-question", "benign-trigger", "benign-document")
        short = {0: [], 1: []}
        for source, rows in self.pool.items():
            for row in rows:
                fits = 25 <= len(row["text"]) <= 200 and row["kind"] in (attack_kinds if row["label"] else benign_kinds)
                if fits and not (row["label"] and source in ("mosscap", "ki_system", "himathx_payloads")):
                    short[row["label"]].append(row["text"])
        for label, kind in ((1, "injection-indirect"), (0, "benign-document")):
            for _ in range(self.counts["carriers"]):
                text = put_into(self.rng.choice(short[label]), self.rng.choice(documents), self.rng)
                self.add(text, label, kind, "en", "carrier")
        for _ in range(self.counts["plain_tasks"]):
            text = put_into(self.rng.choice(self.plain_tasks), self.rng.choice(documents), self.rng)
            self.add(text, 1, "injection-indirect", "en", "carrier_plain_task")

    def planted(self):
        """Orders to a model in gathered English documents, and notes for people in the same kind of document."""
        rng, documents = self.rng, self.texts(DOCUMENT_SOURCES, length_min=120)
        for _ in range(self.counts["planted"]):
            piece = templates.english_planted(rng)
            text = piece if rng.random() < 0.15 else put_into(piece, rng.choice(documents), rng)
            self.add(text, 1, "injection-indirect", "en", "planted")
        for _ in range(self.counts["notes"]):
            text = put_into(templates.english_note(rng), rng.choice(documents), rng)
            self.add(text, 0, "benign-document", "en", "planted_note")

    def phrases(self):
        """The hand-written phrases in all languages."""
        rng, by_language = self.rng, collections.defaultdict(list)
        for source in CARRIER_SOURCES:
            for row in self.pool[source]:
                if row["label"] == 0:
                    by_language[row["lang"]].append(row["text"])
        for language, phrases in self.written_phrases.items():
            self.rows += templates.document_rows(phrases, language, self.counts["documents"], rng)
            self.rows += templates.request_rows(phrases, language, rng)
            # The same orders and notes in gathered documents of the language, so that the carrier tells nothing.
            carriers = by_language.get(language) or by_language["en"]
            for _ in range(self.counts["phrase_carriers"]):
                length = SEGMENT_DENSE if language in templates.DENSE_SCRIPTS else 300
                text = put_into(templates.planted_sentence(phrases, language, rng), rng.choice(carriers), rng, length)
                self.add(text, 1, "injection-indirect", language, "phrases_carrier")
                note = rng.choice(phrases["notes"])
                text = put_into(note, rng.choice(carriers), rng, length)
                self.add(text, 0, "benign-document", language, "phrases_carrier")
        for language in templates.SHORT:
            carriers = by_language.get(language) or by_language["en"]
            self.rows += templates.short_rows(language, carriers, self.counts["short_attacks"], rng)
        self.rows += templates.english_trigger_rows(self.counts["triggers_each"], rng)
        self.rows += templates.english_security_rows(self.security_headings(), self.counts["security"], rng)

    def security_headings(self):
        """Topics for security questions: the headings of the pool's security documents."""
        generic = re.compile(
            r"(summary|reference|introduction|overview|tools?|example|test objective|how to|related|remediation|labs?"
            r"|note|table|what|resources|authors?)",
            re.I,
        )
        found = set()
        for row in self.pool["security_docs"]:
            if row["lang"] == "en":
                found |= set(re.findall(r"^#{1,4}\s+([A-Za-z][A-Za-z0-9 /\-]{5,45})$", row["text"], re.M))
        return sorted(heading.strip() for heading in found if not generic.match(heading))

    def noisy(self):
        short = [row for row in self.rows if len(row["text"]) < 300 and row["source"] != "neuralchemy"]
        for label in (0, 1):
            for row in self.rng.sample([row for row in short if row["label"] == label], self.counts["noisy"]):
                self.rows.append(dict(row, text=noise(row["text"], self.rng), source="noise"))

    def clean(self):
        """Drops exact duplicates and texts that carry both labels."""
        labels = collections.defaultdict(set)
        for row in self.rows:
            labels[fold(row["text"])].add(row["label"])
        kept = {}
        for row in self.rows:
            key = fold(row["text"])
            if key and len(labels[key]) == 1:
                kept.setdefault(key, row)
        self.rows = list(kept.values())

    def mine(self):
        """Benign rows that a linear model takes for attacks, without those that probably are; and cleans what is in."""
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.linear_model import SGDClassifier

        vectorizer = HashingVectorizer(ngram_range=(1, 3), n_features=2**20, alternate_sign=False)
        features = vectorizer.transform([row["text"] for row in self.rows])
        labels = [row["label"] for row in self.rows]
        linear = SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=8, random_state=1).fit(features, labels)
        candidates = []
        for source, rows in self.pool.items():
            if source in (WRITTEN, "tensortrust_defenses"):
                continue
            short = [row for row in rows if row["label"] == 0 and len(row["text"]) < 2000]
            self.rng.shuffle(short)
            candidates += short[:12000]
        scores = linear.decision_function(vectorizer.transform([row["text"][:SEGMENT] for row in candidates]))
        known = {fold(row["text"]) for row in self.rows}
        prefixes, taken, suspects = set(), collections.Counter(), 0
        for index in (-scores).argsort():
            row, text = candidates[index], candidates[index]["text"][:SEGMENT]
            key = fold(text)
            if key in known or key[:50] in prefixes or taken[row["source"]] >= self.counts["mined_per_source"]:
                continue
            untrusted = row["source"] not in TRUSTED
            if untrusted and (LIKELY_ATTACK.search(text) or scores[index] > DOUBTFUL_SCORE):
                suspects += 1
                continue
            prefixes.add(key[:50])
            taken[row["source"]] += 1
            self.add(text, 0, row["kind"], row["lang"], "mined_" + row["source"])
            if sum(taken.values()) >= self.counts["mined"]:
                break
        print(f"mined {sum(taken.values())} hard negatives, left out {suspects} that look like attacks")

    def written(self):
        """The project's own written rows: as they are, joined with other text, and with small slips."""
        varied = []
        for row in self.pool[WRITTEN]:
            self.rows.append(row)
            phrases = self.written_phrases[row["lang"]]
            harmless = self.rng.choice(phrases["question"] + phrases["trigger"])
            context = [harmless] if self.rng.random() < 0.5 else self.rng.choice(phrases["documents"])
            pair = [row["text"], templates.join_sentences(context, row["lang"], self.rng)]
            # A longer text would be cut in training, perhaps before its telling part.
            if sum(map(len, pair)) > segment_length(row["text"]):
                pair.pop()
            if self.rng.random() < 0.6:
                pair.reverse()
            varied.append(dict(row, text=self.rng.choice(["\n", "\n\n", " "]).join(pair), source="written_joined"))
            trimmed = row["text"].rstrip(".!?。！？؟।")
            if self.rng.random() < 0.5 and not is_dense(trimmed):
                letters = list(trimmed)
                for _ in range(max(1, len(letters) // 60)):
                    del letters[self.rng.randrange(len(letters))]
                trimmed = "".join(letters)
            varied.append(dict(row, text=trimmed, source="written_trimmed"))
        self.rows += varied


def visits(row, plan, scarce):
    """How often a row is seen: by the longest beginning of its source that the plan names, else by its class.

    A name with `:benign` after it holds for that source's benign rows.
    """
    named = [name for name in plan if row["source"].startswith(name)]
    if named:
        name = max(named, key=len)
        return plan[name] if row["label"] else plan.get(name + ":benign", plan[name])
    if row["label"] == 0:
        return plan["benign"]
    return plan["scarce_attack" if row["source"] in scarce else "attack"]


def report(rows):
    for label in (1, 0):
        chosen = [row for row in rows if row["label"] == label]
        total = sum(row["visits"] for row in chosen)
        lengths = sorted(len(row["text"]) for row in chosen)
        quantiles = [lengths[int(len(lengths) * q)] for q in (0.1, 0.25, 0.5, 0.75, 0.9)]
        languages = collections.Counter(row["lang"] for row in chosen).most_common(18)
        sources = collections.Counter(row["source"] for row in chosen).most_common(30)
        print(f"label {label}: {len(chosen)} rows, {total} visits, characters {quantiles}\n  {languages}\n  {sources}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with pool/ and dev/")
    parser.add_argument("plan", type=Path, help="a file of plans/: caps, counts and visits")
    parser.add_argument("out", type=Path, help="the JSONL file to write")
    arguments = parser.parse_args()
    plan = json.loads(arguments.plan.read_text())
    builder = Builder(arguments.data, plan)
    builder.gathered()
    builder.carriers()
    builder.planted()
    builder.phrases()
    builder.noisy()
    builder.clean()
    builder.mine()
    builder.written()
    attacks = {name: sum(row["label"] for row in rows) for name, rows in builder.pool.items()}
    scarce = {name for name, count in attacks.items() if count < SCARCE}
    rows = [dict(row, visits=visits(row, plan["visits"], scarce)) for row in builder.rows]
    builder.rng.shuffle(rows)
    report(rows)
    jsonl.write(arguments.out, rows)


if __name__ == "__main__":
    main()
