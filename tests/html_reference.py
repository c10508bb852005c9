"""Records what tests/html_text_test.cpp compares with: the names of HTML 4 and their code points,
from Python's own table of the W3C's definition.
  python3 tests/html_reference.py > tests/fixtures/html4_entities.txt
"""
from html.entities import name2codepoint

for name, value in sorted(name2codepoint.items()):
    print(name, value)
