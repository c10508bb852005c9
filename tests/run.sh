#!/bin/sh
# Runs every test: the unit tests in both builds and each chapter against its known output. Says
# what runs, shows what failed, counts what was skipped for each reason, and closes with "N passed,
# N failed, N skipped" over test cases and lines.
# Usage: tests/run.sh CHAPTER...   (`make test` builds first and passes the chapters)
export LC_ALL=C  # known outputs are English
log=out/test
rm -rf "$log"
mkdir -p "$log"
status=0

# What tests whole chapters takes as long as all the rest: two halves side by side.
echo "== unit tests in float and in double: some minutes"
build/float/tests/unit -sf='*chapter_0*' > "$log/chapters.txt" 2>&1 &
build/float/tests/unit -sfe='*chapter_0*' > "$log/float.txt" 2>&1 || status=1
build/double/tests/unit > "$log/double.txt" 2>&1 || status=1
wait $! || status=1
for part in chapters float double; do
    head -n 1 "$log/$part.txt"
    sed -n 's/^SKIPPED: //p' "$log/$part.txt" | sort | uniq -c |
        sed 's/^ *\([0-9]*\) /skipped \1: /'
    grep -q 'Status: SUCCESS' "$log/$part.txt" || { cat "$log/$part.txt"; status=1; }
    sed -n 's/\(.*test cases:.*failed\) .*/\1/p' "$log/$part.txt"
done

for chapter in "$@"; do
    number=${chapter%%_*}
    echo "== $chapter --quick against tests/expected/$number.txt"
    rm -rf "out/verify/$number"  # with what an interrupted run may have left
    build/$chapter --quick --out "out/verify/$number" > "$log/$number.out" 2> "$log/$number.err" ||
        { cat "$log/$number.err"; status=1; }
    build/verify "tests/expected/$number.txt" < "$log/$number.out" > "$log/$number.txt" || status=1
    grep -A 1 '^FAIL' "$log/$number.txt"
    tail -n 1 "$log/$number.txt"
done

# Add up "test cases: 20 | 19 passed | 1 failed" and "FILE: 170 lines passed, 0 failed".
cat "$log"/*.txt | awk -v status=$status '
    /^SKIPPED: /      { skipped++; passed-- }  # doctest counts it as passed
    /test cases:/     { gsub(/[|:]/, " "); passed += $5; failed += $7 }
    / lines passed, / { passed += $2; failed += $5 }
    END {
        if (status != 0 && failed == 0) failed = 1  # something ended before it could count
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    }'
exit $status
