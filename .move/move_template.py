"""Apply hooks/moves.toml to this repository. Usage: move_template.py CHECKOUT (git repository)."""
import ast, re, subprocess, sys, tomllib
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
M = tomllib.loads((ROOT / "hooks/moves.toml").read_text())
MODULES, PACKAGES, NAMES, ATTRS, KEPT = (M[k] for k in ("modules", "packages", "names", "attributes", "kept"))
NEW_MODULES = set(MODULES.values())
T = ROOT / "template"
VARIANTS = {"variants/deletion/": "app.kit.db.deletion", "variants/ids/": "app.kit.db.ids",
            "variants/tracing/": "app.kit.tracing", "variants/authentication/": "app.kit.authentication"}

def git(*a): return subprocess.run(["git", "-C", str(ROOT), *a], check=True, capture_output=True, text=True).stdout

def path_of(mod):
    p = mod.replace(".", "/")
    return f"template/src/{p}" if mod.startswith("app") else f"template/{p}"

def find(mod):
    for s in (".py", ".py.jinja", "/__init__.py"):
        if (ROOT / (path_of(mod) + s)).exists(): return path_of(mod) + s
    return None

def module_of(path):
    for prefix, mod in VARIANTS.items():
        if path.startswith(prefix): return mod
    m = re.match(r"template/(?:src/)?(.*?)(/__init__)?\.py(\.jinja)?$", path)
    return m[1].replace("/", ".") if m else None

# ---------- what each module imports, to resolve re-exports (old names)
IMPORTS, DEFINES = {}, {}
def scan():
    for f in git("ls-files", "template/src", "template/tests", "variants").splitlines():
        mod = module_of(f)
        if not mod or not (f.endswith(".py") or f.endswith(".jinja")): continue
        try: tree = ast.parse(mask((ROOT / f).read_text()))
        except (SyntaxError, FileNotFoundError): continue
        for n in tree.body:
            if isinstance(n, ast.ImportFrom) and n.module and n.module.startswith(("app.", "tests.")):
                for a in n.names: IMPORTS.setdefault(mod, {})[a.asname or a.name] = (n.module, a.name)
            elif isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): DEFINES.setdefault(mod, set()).add(n.name)
            else:
                DEFINES.setdefault(mod, set()).update(x.id for x in ast.walk(n) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store))

def new_mod(mod):
    if mod in MODULES: return MODULES[mod]
    return PACKAGES.get(mod, mod)

def new_name(mod, name, seen=()):
    """(new module, new name) of an old name; a module import gives (package, leaf)."""
    if f"{mod}.{name}" in MODULES or f"{mod}.{name}" in PACKAGES:
        p, _, leaf = new_mod(f"{mod}.{name}").rpartition(".")
        return p, leaf
    v = NAMES.get(mod, {}).get(name)
    if v is None and (mod, name) not in seen and name in IMPORTS.get(mod, {}) and name not in DEFINES.get(mod, ()):
        v = new_name(*IMPORTS[mod][name], (*seen, (mod, name)))[1]
    v = v or name
    if ":" in v: return tuple(v.split(":"))
    return new_mod(mod), v

# ---------- text: dotted names and paths
DOTTED = re.compile(r"(?<![\w./-])(app(?:\.\w+)+|tests\.(?:rig|example)(?:\.\w+)+)")
def dotted(text):
    def sub(m):
        whole = m[1].split(".")
        for i in range(len(whole), 1, -1):
            head = ".".join(whole[:i])
            if head in NEW_MODULES and head not in MODULES: return m[1]
            if head in NEW_MODULES: pass
            if head in MODULES or (head in PACKAGES and i == len(whole)):
                rest = whole[i:]
                if head in ("app.kit.errors",) and rest and (ROOT/"template/src/app/kit/errors").is_dir() and f"{head}.{rest[0]}" in NEW_MODULES and rest[0] != "problems": return m[1]
                if rest:
                    mod, n = new_name(head, rest[0])
                    return ".".join([mod, n, *rest[1:]])
                return new_mod(head)
        return m[1]
    return DOTTED.sub(sub, text)

SLASH = re.compile(r"(?<![\w.-])((?:[\w.{}*-]+/)*?)((?:app/)?kit(?:/\w+)+|(?:tests/)?rig(?:/\w+)+|tests/example/\w+|app/example/\w+(?:/\w+)*|example/(?:invented|users/restoring)\b)((?:\.py)?(?:\.jinja)?(?:\.\w+)?)")
def slashed(text):
    def sub(m):
        pre, p, suf = m[1], m[2], m[3]
        if "conformance/" in pre: return m[0]
        full = p if p.startswith(("app/", "tests/")) else ("tests/" + p if p.startswith("rig") else "app/" + p)
        mod = full.replace("/", ".")
        if mod in NEW_MODULES and mod not in MODULES: return m[0]
        if mod == "app.kit.errors" and not suf.startswith(".py"): return m[0]
        if mod in MODULES: new = MODULES[mod]
        else: return m[0]
        if mod.startswith("app.kit.http") and False: pass
        newp = new.replace(".", "/")
        if not p.startswith(("app/", "tests/")): newp = newp.partition("/")[2]
        extra = suf
        ms = re.match(r"(\.py)?(\.jinja)?(\.\w+)?$", suf)
        if ms[3]:  # kit/db/base.now: a name
            n = ms[3][1:]
            if n not in ("tmpl", "md"): extra = (ms[1] or "") + (ms[2] or "") + "." + new_name(mod, n)[1]
        return pre + newp + extra
    text = SLASH.sub(sub, text)
    for o, n in MODULES.items():
        if o.startswith("tests.example."):
            a, b = (x.partition(".")[2].replace(".", "/") for x in (o, n))
            text = re.sub(rf"(?<![\w/]){a}(?=\.py)", b, text)
    text = re.sub(r"(?<![\w])tests/rig(?=/|\b)", "tests/support", text)
    text = re.sub(r"(?<![\w])src/app/kit/commands(?=/|\b)", "src/app/kit/cli/commands", text)
    text = re.sub(r"(?<![\w/])kit/commands(?=/|\b)", "kit/cli/commands", text)
    return text

def attributes(text):
    for o, n in ATTRS.items():
        text = re.sub(rf"(?<![\w/-]){o}\b", n, text)
    return text

# ---------- code in text (fenced blocks, strings, jinja): textual
IMP = re.compile(r"from ((?:app|tests)\.[\w.]+|app) import (\((?:[^()]|\n)*?\)|[\w, ]+?)(?=$|\n|\\n|[;\"'])", re.M)
def snippet(text):
    ren = {}
    def sub(m):
        groups = {}
        inner = m[2].strip("() \n").replace("\n", " ")
        for part in filter(None, (x.strip() for x in inner.split(","))):
            name, _, alias = part.partition(" as ")
            if not name.isidentifier(): return m[0]
            mod, n = new_name(m[1], name)
            if not alias and n != name:
                ren[name] = n
            groups.setdefault(mod, []).append(n + (f" as {alias}" if alias else ""))
        line_start = m.string.rfind("\n", 0, m.start()) + 1
        indent = re.match(r"[ \t]*", m.string[line_start:m.start()])[0]
        sep = "\n" + indent
        if ";" in m.string[m.end():m.end()+2]: sep = "; "
        out = []
        for mod, ns in groups.items():
            s = f"from {mod} import {', '.join(sorted(ns))}"
            if m[2].startswith("(") and len(s) + len(indent) > 100:
                s = f"from {mod} import (\n" + "".join(f"{indent}    {x},\n" for x in sorted(ns)) + f"{indent})"
            out.append(s)
        return sep.join(out)
    text = IMP.sub(sub, text)
    for o, n in ren.items():
        guard = "" if o[0].isupper() else r"(?!\s*=[^=])"
        colon = "" if o[0].isupper() else "(?!:)"
        text = re.sub(rf"(?<![\w.`\"'/]){o}\b{guard}{colon}(?![\"'])", n, text)
    return text

# ---------- Python by scopes
class Scope:
    def __init__(self, node, parent): self.node, self.parent, self.bound, self.glob = node, parent, set(), set()

FUN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMP = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
def walk(node, scope, out):
    """Collect bindings, then uses: out is a list of (node, scope)."""
    if isinstance(node, FUN):
        if not isinstance(node, ast.Lambda):
            scope.bound.add(node.name); out.append((node, scope))
            for d in node.decorator_list: walk(d, scope, out)
            if node.returns: walk(node.returns, scope, out)
        a = node.args
        for d in [*a.defaults, *[x for x in a.kw_defaults if x]]: walk(d, scope, out)
        inner = Scope(node, scope)
        for arg in [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg, a.kwarg])]:
            inner.bound.add(arg.arg)
            if arg.annotation: walk(arg.annotation, scope, out)
        for b in (node.body if isinstance(node.body, list) else [node.body]): walk(b, inner, out)
        return
    if isinstance(node, ast.ClassDef):
        scope.bound.add(node.name); out.append((node, scope))
        for d in [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]: walk(d, scope, out)
        inner = Scope(node, scope)
        for b in node.body: walk(b, inner, out)
        return
    if isinstance(node, COMP):
        inner = Scope(node, scope)
        for i, g in enumerate(node.generators):
            walk(g.iter, scope if i == 0 else inner, out); walk(g.target, inner, out)
            for c in g.ifs: walk(c, inner, out)
        for f in ("elt", "key", "value"):
            if getattr(node, f, None) is not None: walk(getattr(node, f), inner, out)
        return
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        out.append((node, scope))
        for x in node.names: scope.bound.add(x.asname or x.name.split(".")[0])
        return
    if isinstance(node, (ast.Global, ast.Nonlocal)): scope.glob.update(node.names); return
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store): scope.bound.add(node.id)
        out.append((node, scope)); return
    if isinstance(node, ast.ExceptHandler) and node.name: scope.bound.add(node.name)
    if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name: scope.bound.add(node.name)
    out.append((node, scope))
    for c in ast.iter_child_nodes(node): walk(c, scope, out)

def resolves_to(name, scope):
    """The scope that binds a name, as Python looks it up."""
    s = scope
    while s.parent is not None:
        if (s is scope or not isinstance(s.node, ast.ClassDef)) and name in s.bound and name not in s.glob: return s
        s = s.parent
    return s if name in s.bound else None

def mask(text):
    """Make comments of the lines with Jinja statements; every position stays."""
    def line(m):
        n = len(m[0].encode())
        return "#" * n
    return re.sub(r"(?m)^[ \t]*\{[%#].*[%#]\}[ \t]*$", line, text)

WARN = []
def python(text, path):
    mod = module_of(path)
    try: tree = ast.parse(mask(text) if path.endswith(".jinja") else text)
    except SyntaxError:
        if not path.endswith(".jinja") or len(text) > 200: WARN.append(f"{path}: not parsed")
        return snippet(text)
    top = Scope(tree, None); out = []
    for n in tree.body: walk(n, top, out)
    lines = text.encode().splitlines(keepends=True)
    edits = []  # (line, col, endline, endcol, new)
    ren = {}    # (id(scope), name) -> new
    modules = {}  # local name -> old module, by scope
    own = NAMES.get(mod, {}) if mod else {}
    all_bound = set()
    for n, s in out: all_bound |= s.bound
    for name, new in own.items():
        new = new.rpartition(":")[2]
        if name in top.bound and name in DEFINES.get(mod, {name}) : ren[(id(top), name)] = new
    imports = []
    for n, s in out:
        if isinstance(n, ast.ImportFrom) and n.module and not n.level and n.module.split(".")[0] in ("app", "tests"):
            groups, changed = {}, False
            for a in n.names:
                nm, nn = new_name(n.module, a.name)
                old_full = f"{n.module}.{a.name}"
                local = a.asname or a.name
                if old_full in MODULES: modules[(id(s), local)] = old_full
                elif find_any(old_full): modules[(id(s), local)] = old_full
                alias = a.asname
                if nn != a.name and not a.asname:
                    if nn in all_bound and (id(s), a.name) not in ren:
                        alias = a.name; WARN.append(f"{path}: {a.name} -> {nn} is taken; kept as alias")
                    else: ren[(id(s), a.name)] = nn
                if (nm, nn) != (n.module, a.name): changed = True
                groups.setdefault(nm, []).append(nn + (f" as {alias}" if alias and alias != nn else ""))
            if changed: imports.append((n, groups))
        elif isinstance(n, ast.Import):
            for a in n.names:
                if a.name in MODULES:
                    edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, f"import {MODULES[a.name]}" + (f" as {a.asname}" if a.asname else "")))
                    if a.asname: modules[(id(s), a.asname)] = a.name
    for n, groups in imports:
        ind = " " * n.col_offset
        new = ("\n" + ind).join(f"from {m} import " + (", ".join(x) if len(", ".join(x)) < 60 else "(\n" + "".join(f"{ind}    {y},\n" for y in x) + ind + ")") for m, x in groups.items())
        edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, new))
    for n, s in out:
        if isinstance(n, ast.Name):
            b = resolves_to(n.id, s)
            if b is not None and (id(b), n.id) in ren: edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, ren[(id(b), n.id)]))
        elif isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and (id(s), n.name) in ren:
            line = lines[n.lineno - 1].decode()
            m = re.search(rf"\b(?:def|class)\s+({n.name})\b", line)
            c = len(line[: m.start(1)].encode())
            edits.append((n.lineno, c, n.lineno, c + len(n.name), ren[(id(s), n.name)]))
        elif isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name):
            b = resolves_to(n.value.id, s)
            om = modules.get((id(b), n.value.id)) if b is not None else None
            if om:
                new = new_name(om, n.attr)[1]
                if new != n.attr: edits.append((n.end_lineno, n.end_col_offset - len(n.attr), n.end_lineno, n.end_col_offset, new))
        elif isinstance(n, ast.Call):
            f = ast.unparse(n.func)
            if f == "cast" and n.args and isinstance(n.args[0], ast.Constant) and isinstance(n.args[0].value, str): quoted(n.args[0], ren, top, edits)
            if f.endswith("setattr") and len(n.args) > 1 and isinstance(n.args[0], ast.Name) and isinstance(n.args[1], ast.Constant):
                b = resolves_to(n.args[0].id, s); om = modules.get((id(b), n.args[0].id)) if b is not None else None
                if om:
                    c = n.args[1]; new = new_name(om, c.value)[1]
                    if new != c.value: edits.append((c.lineno, c.col_offset, c.end_lineno, c.end_col_offset, f'"{new}"'))
        if isinstance(n, (ast.AnnAssign,)): annotation(n.annotation, ren, top, edits)
        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for a in ast.walk(n.args):
                if isinstance(a, ast.arg) and a.annotation: annotation(a.annotation, ren, top, edits)
            if n.returns: annotation(n.returns, ren, top, edits)
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in n.targets):
            for c in ast.walk(n.value):
                if isinstance(c, ast.Constant) and (id(top), c.value) in ren: edits.append((c.lineno, c.col_offset, c.end_lineno, c.end_col_offset, f'"{ren[(id(top), c.value)]}"'))
        # code inside strings
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and re.search(r"from (app|tests)\.[\w.]+ import", n.value):
            seg = ast.get_source_segment(text, n)
            if seg and snippet(seg) != seg: edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, snippet(seg)))
    for l, c, el, ec, new in sorted(set(edits), reverse=True):
        before, after = lines[l - 1][:c], lines[el - 1][ec:]
        lines[l - 1 : el] = [before + new.encode() + after]
    text = b"".join(lines).decode()
    # names in backticks and after `Raises:` in docstrings and comments
    local = {name: new for (i, name), new in ren.items() if i == id(top)}
    for o, nw in local.items():
        text = re.sub(rf"`{o}(?=[`(.\[])", f"`{nw}", text)
        text = re.sub(rf"(?m)^(\s+){o}: (?=[A-Z])", rf"\1{nw}: ", text)
        if not o.islower() and not o.isupper() and o not in ENGLISH:
            pass
    return text

ENGLISH = {"Input", "Output", "Changes", "Line", "Record", "Order", "Place", "Batch", "Change", "Tell", "Key", "Once", "State", "Turn", "Gate", "Reads", "Counts", "Facts", "Kept", "Plan", "Slice", "Moment", "Revisions", "Refused", "Refusal", "Entity"}
def annotation(node, ren, top, edits):
    for c in ast.walk(node):
        if isinstance(c, ast.Constant) and isinstance(c.value, str): quoted(c, ren, top, edits)
def quoted(c, ren, top, edits):
    v = c.value
    for (i, o), n in ren.items():
        if i == id(top): v = re.sub(rf"(?<![\w.]){o}\b", n, v)
    if v != c.value: edits.append((c.lineno, c.col_offset, c.end_lineno, c.end_col_offset, f'"{v}"'))
def find_any(mod):
    return find(mod) is not None and mod.startswith(("app.kit", "app.example"))

# ---------- prose in Markdown
CAMEL = {}
def all_names():
    seen = {}
    for mod, d in NAMES.items():
        for o, n in d.items(): seen.setdefault(o, set()).add(n.rpartition(":")[2])
    return {o: min(v) for o, v in seen.items() if len(v) == 1} | {"Order": "SortOrder"}
SKIP_PROSE = {"now", "order", "Order", "Batch", "plan", "once", "check", "operation", "answer", "watch", "ask", "named", "State", "Change", "Key", "KEY", "COPY", "POLL", "Place", "encode", "decode", "granted", "examine", "shown", "mark", "pause", "described", "undo", "redo", "OLDEST", "NOTICEABLE"}
def span(text, names):
    for o, n in names.items():
        if o == "Counts": continue
        if o[0].islower(): tail = r"(?=\()" if o in SKIP_PROSE else r"(?=[(`])"
        else: tail = r"(?=`)" if o in SKIP_PROSE else r"(?=[`(.\[\]])"
        text = re.sub(rf"(?<![\w.\"/-]){o}{tail}", n, text)
    return text

def markdown(text):
    parts = re.split(r"(```.*?```)", text, flags=re.S)
    names = all_names()
    for i, p in enumerate(parts):
        if p.startswith("```"):
            has = IMP.search(p)
            q = snippet(p)
            if p.startswith("```python"):
                for o, n in names.items():
                    if o in SKIP_PROSE - {"order", "plan", "now", "once"}: continue
                    if o[0].islower(): q = re.sub(rf"(?<![\w.`\"'/]){o}(?=\()", n, q)
                    else: q = re.sub(rf"(?<![\w.`\"'/]){o}\b", n, q)
            parts[i] = q
        else:
            parts[i] = re.sub(r"`[^`\n]+`", lambda m: span(m[0], names), p)
    return "".join(parts)

# ---------- the scaffold generates code: names are words in strings and templates
SCAFFOLD = {"Entity", "Record", "Changes", "Input", "Output", "Line", "LongText", "SearchText", "Moment", "Slice", "CursorSlice", "unique_live", "omittable", "stored_by_value", "erase_where", "among"}
def scaffold(text):
    names = all_names()
    for o in SCAFFOLD: text = re.sub(rf"(?<![\w.]){o}\b", names[o], text)
    text = re.sub(r"(?<=deletion\.)Entity\b", "Model", text)
    for o in ("order", "plan", "problems", "relation", "now"):
        text = re.sub(rf"(?<![\w.]){o}(?=\()", names[o], text)
        text = re.sub(rf"(?<=\"){o}(?=\")", names[o], text)
    return text

def distinctive(text):
    global DIST
    if DIST is None:
        DIST = {o: n for o, n in all_names().items() if ("_" in o and o.islower()) or re.match(r"[A-Z][a-z]+[A-Z]\w*[a-z]$", o)}
    for o, n in DIST.items():
        if o in text: text = re.sub(rf"(?<![\w/-]){o}\b(?![-/])", n, text)
    text = re.sub(r"(?<=[Rr]aises )Refused\b|(?<=Raise )Refused\b", "CommandFailed", text)
    return text
DIST = None

def main():
    scan()
    # texts first, on the old paths
    for f in git("ls-files").splitlines():
        p = ROOT / f
        if f.startswith(("CHANGELOG.md", "hooks/", "tests/updates/", "releases.toml", "docs/images")) or not p.is_file() or p.is_symlink(): continue
        try: old = p.read_text()
        except UnicodeDecodeError: continue
        new = old
        if f.endswith(".py"): new = python(new, f)
        elif f.endswith(".py.jinja"): new = python(new, f)
        elif f.endswith(".mako"): new = snippet(new)
        elif f.endswith((".md", ".md.jinja")): new = markdown(new)
        if f.endswith((".py", ".md", ".jinja", ".toml", ".tmpl", ".mako", ".yml")): new = distinctive(new)
        if f.startswith("template/devtools/scaffold/"): new = scaffold_imports(scaffold(new))
        new = attributes(slashed(dotted(new)))
        if new != old: p.write_text(new)
    # then the files
    done = set()
    for o, n in MODULES.items():
        src = find(o)
        if src is None: print("no file", o); continue
        if n in done: git("rm", "-qf", src); continue
        done.add(n)
        suffix = src[len(path_of(o)):]
        dst = path_of(n) + suffix
        (ROOT / dst).parent.mkdir(parents=True, exist_ok=True)
        # `kit/errors.py` becomes a file in the folder `kit/errors`.
        git("mv", src, dst)
        d = (ROOT / dst).parent
        while d.name not in ("app", "template"):
            if not (d / "__init__.py").exists() and d != T / "src":
                (d / "__init__.py").write_text(""); git("add", str(d / "__init__.py"))
            d = d.parent
    for o in PACKAGES:
        d = ROOT / path_of(o)
        for f in sorted(d.rglob("*")) if d.is_dir() else []:
            if f.name == "__init__.py": git("rm", "-qf", str(f))
            elif "__pycache__" not in str(f): print("left", f)
    for w in WARN: print("WARN", w)

def scaffold_imports(text):
    def sub(m):
        groups = {}
        for n in m[2].split():
            mod, nn = new_name(m[1], n); groups.setdefault(mod, []).append(nn)
        out = []
        for mod, ns in groups.items():
            ns = sorted(ns)
            one = f'"{mod}": "{" ".join(ns)}"'
            if len(one) > 94:
                half = len(ns) // 2
                one = f'"{mod}": "{" ".join(ns[:half])}"\n    " {" ".join(ns[half:])}"'
            out.append(one)
        return ",\n    ".join(out)
    # names were already renamed by `scaffold`
    return re.sub(r'"(app\.kit[\w.]*)": "([\w ]+)"', sub, text)

main()
