#!/bin/sh
# Static checks: the house rules (line lengths, include order, ...), every header on its own, and
# clang-format, clang-tidy and cppcheck where they are installed. Exit status 1 if any complains.
status=0
sources=$(find src chapters tests weights -name '*.cpp')
headers=$(find src chapters tests weights -name '*.h')

report() {  # NAME STATUS
    if [ "$2" -eq 0 ]; then echo "ok    $1"; else echo "FAIL  $1"; status=1; fi
}
missing() { echo "--    $1 is not installed"; }

build/float/tests/unit -m -tc='house:*,docs:*'
report "house rules and docs" $?

broken=0
for header in $headers; do
    echo "#include \"$header\"" |
        g++ -std=c++20 -fsyntax-only -Wall -Wextra -I. -Isrc -x c++ - || broken=1
done
report "headers compile alone" $broken

if command -v clang-format >/dev/null; then
    clang-format --dry-run --Werror $sources $headers
    report clang-format $?
else
    missing clang-format
fi

programs=$(find src chapters weights -name '*.cpp')
if command -v clang-tidy >/dev/null; then
    echo "$programs" | xargs -P "$(nproc)" -n 1 sh -c \
        'clang-tidy --quiet "$1" -- -std=c++20 -I. -Isrc 2>/dev/null' --
    report clang-tidy $?
else
    missing clang-tidy
fi

# Views are small and passed by value on purpose.
if command -v cppcheck >/dev/null; then
    cppcheck --quiet --std=c++20 --enable=warning,performance,portability --inline-suppr \
        --suppress=passedByValue --suppress=missingIncludeSystem --error-exitcode=1 \
        -Isrc $programs
    report cppcheck $?
else
    missing cppcheck
fi
exit $status
