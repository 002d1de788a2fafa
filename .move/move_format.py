"""Format Jinja Python files as ruff formats their renderings. Usage: move_format.py CHECKOUT; repeats for several answers."""
import difflib, re, subprocess, sys, tempfile
from pathlib import Path
ROOT = Path(sys.argv[1]).resolve(); sys.path.insert(0, str(ROOT))
from tests.rendering import Renderer
RUFF = str(ROOT / ".venv/bin/ruff")
def one(answers):
    tmp = Path(tempfile.mkdtemp()); r = Renderer(tmp); out = tmp / "svc"; r.into(out, **answers)
    files = {f: out / re.sub(r"\.jinja$", "", str(f.relative_to(ROOT / "template"))) for f in sorted((ROOT / "template").rglob("*.py.jinja"))}
    before = {f: o.read_text() for f, o in files.items() if o.exists()}
    names = [str(files[f]) for f in before if "versions" not in str(f)]
    subprocess.run([RUFF, "check", "-q", "--fix", "--select", "RUF022", *names], cwd=out)
    subprocess.run([RUFF, "format", "-q", *names], cwd=out)
    n = 0
    for f, old in before.items():
        new = files[f].read_text()
        if new == old: continue
        src = f.read_text(); a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
        ok = True
        for tag, i1, i2, j1, j2 in reversed(difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()):
            if tag == "equal": continue
            o, w = "".join(a[i1:i2]), "".join(b[j1:j2])
            if tag == "insert":
                k = i1
                anchor = a[k - 1]
                c = src.count("\n" + anchor)
                if c != 1: ok = False; print("insert?", f, repr(w)); continue
                at = src.index("\n" + anchor) + 1 + len(anchor)
                src = src[:at] + w + src[at:]
            else:
                # with the line before, to be unique
                if src.count(o) != 1:
                    ok = False; print("block?", f, repr(o)); continue
                src = src.replace(o, w)
        f.write_text(src); n += 1
    return n
def sort_imports(path):
    """Sort the first-party imports of a Jinja file; a block of a condition moves with its first import."""
    lines = path.read_text().splitlines(keepends=True)
    start = next((i for i, l in enumerate(lines) if re.match(r"(from|import) (app|tests)\b", l)), None)
    if start is None: return
    if re.match(r"\{%-? if", lines[start - 1]): start -= 1
    items, i = [], start
    while i < len(lines):
        l = lines[i]
        if re.match(r"\{%-? if", l):
            j = i
            while not re.search(r"endif", lines[j]): j += 1
            block = lines[i:j + 1]
            if not all(re.match(r"\{%|from |import |    |\)", b) for b in block): break
            j += 1
        elif re.match(r"(from|import) ", l):
            j = i + 1
            if l.rstrip().endswith("("):
                while not lines[j].startswith(")"): j += 1
                j += 1
        else: break
        chunk = lines[i:j]
        m = next(re.match(r"(?:from|import) ([\w.]+)", c) for c in chunk if re.match(r"(from|import) ", c))
        items.append((m[1], chunk)); i = j
    first = [x for x in items if x[0].split(".")[0] in ("app", "tests", "local_postgres", "scaffold", "oidc_issuer")]
    if len(first) != len(items): return
    new = [l for _, c in sorted(items, key=lambda x: x[0]) for l in c]
    path.write_text("".join(lines[:start] + new + lines[i:]))
for f in sorted((ROOT / "template").rglob("*.py.jinja")):
    if "versions" not in str(f) and f.name != "registry.py.jinja": sort_imports(f)
for answers in ({}, {"auth": "oidc"}, {"soft_delete": False}, {"auth": "oidc", "example": False}):
    for _ in range(3):
        if not one(answers): break
