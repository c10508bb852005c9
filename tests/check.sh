#!/bin/sh
# Static checks: the house rules (line lengths, include order, ...), every header on its own, and
# clang-format, clang-tidy and cppcheck where they are installed. Exit status 1 if any complains.
status=0
sources=$(find src chapters tests weights -name '*.cpp')
headers=$(find src tests -name '*.h')

report() {  # NAME STATUS
    if [ "$2" -eq 0 ]; then echo "ok    $1"; else echo "FAIL  $1"; status=1; fi
}
missing() { echo "--    $1 is not installed"; }

build/float/tests/unit -m -tc='house:*,docs:*'
report "house rules and docs" $?

for header in $headers; do
    g++ -std=c++20 -fsyntax-only -x c++ -Wall -Wextra -I. -Isrc "$header" -Wno-pragma-once-outside-header
done
report "headers compile alone" $?

if command -v clang-format >/dev/null; then
    clang-format --dry-run --Werror $sources $headers
    report clang-format $?
else
    missing clang-format
fi

if command -v clang-tidy >/dev/null; then
    clang-tidy --quiet $sources -- -std=c++20 -I. -Isrc 2>/dev/null
    report clang-tidy $?
else
    missing clang-tidy
fi

if command -v cppcheck >/dev/null; then
    cppcheck --quiet --std=c++20 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 --suppress=missingIncludeSystem -Isrc -I. src chapters weights
    report cppcheck $?
else
    missing cppcheck
fi
exit $status
