// The script of a dashboard; see show/script.h.
// The hash is that of the text between the script's tags: sha256sum, in base 64. A test compares.
#include "show/script.h"

namespace vimach {

namespace {

constexpr const char* hash = "vacPJM7Tb5lZpjtG6obVFoyr67F04qOZ6g9J/IMUCXA=";

constexpr const char* text = R"js(
for (const box of document.querySelectorAll('.dashboard')) {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const cards = box.querySelector('#cards');
  const lists = box.querySelectorAll('table.list');
  const body = lists[0].tBodies[0];
  const link = row => row.querySelector('a');
  const shown = () => box.querySelector('.latent:target') || box.querySelector('.latent.first');
  let token = -1;

  // Make one list of the two, of which one link at a time is a tab stop.
  if (lists[1]) {
    body.append(...lists[1].tBodies[0].rows);
    lists[1].closest('details').remove();
  }
  function mark() {
    const visible = [...body.rows].filter(row => !row.hidden);
    const now = visible.find(row => link(row).hash === '#' + shown().id);
    for (const row of body.rows) {
      row.classList.toggle('now', row === now);
      link(row).tabIndex = row === (now || visible[0]) ? 0 : -1;
    }
    for (const old of box.querySelectorAll('.picked')) old.classList.remove('picked');
    if (token < 0) return;
    const cell = shown().querySelector('.passage').children[token];
    cell.classList.add('picked');
    panel.querySelector('p').textContent =
      shown().querySelector('h3').firstChild.textContent +
      box.dataset.here.replace('{}', cell.title || '0');
  }
  addEventListener('hashchange', mark);

  // Go to the latent before or behind the one that is shown.
  function step(by) {
    const visible = [...body.rows].filter(row => !row.hidden);
    if (!visible.length) return;
    const at = visible.findIndex(row => link(row).hash === '#' + shown().id);
    const to = at < 0 ? 0 : (at + by + visible.length) % visible.length;
    location.hash = link(visible[to]).hash;
    link(visible[to]).focus({preventScroll: true});
  }
  addEventListener('keydown', event => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    const here = event.target === document.body ? location.hash.startsWith('#latent-')
                                                : box.contains(event.target);
    if (!here || event.target.matches('input, .scroll')) return;
    event.preventDefault();
    step(by);
  });
  const bar = make('p', {className: 'tools'});
  bar.append(make('button', {textContent: '← ' + box.dataset.previous, onclick: () => step(-1)}),
             make('button', {textContent: box.dataset.next + ' →', onclick: () => step(1)}));
  cards.after(bar);

  // Sort by a column: numbers from the largest, words from the first; a second time the other way.
  lists[0].querySelectorAll('thead th').forEach((head, column) => {
    if (body.rows[0].cells[column].querySelector('svg')) return;
    const key = row => row.cells[column].textContent.replace(/^\D+(?=\d+$)/, '');
    const compare = (a, b) => parseFloat(key(b)) - parseFloat(key(a)) ||
                              key(a).localeCompare(key(b));
    const button = make('button', {textContent: head.textContent});
    button.onclick = () => {
      const up = head.getAttribute('aria-sort') === 'descending';
      for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      body.append(...[...body.rows].sort((a, b) => up ? compare(b, a) : compare(a, b)));
    };
    head.replaceChildren(button);
  });

  // Show the rows that hold what was typed: a number, a token, a place in a list.
  const input = make('input', {type: 'search'});
  input.oninput = () => {
    const wanted = input.value.toLowerCase();
    for (const row of body.rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
    mark();
  };
  const label = make('label', {className: 'tools', textContent: box.dataset.rows + ' '});
  label.append(input);
  lists[0].parentNode.before(label);

  // Keep the chosen token's latents beside the text.
  const panel = make('div', {className: 'token-panel', hidden: true});
  panel.setAttribute('role', 'region');
  panel.setAttribute('aria-label', box.dataset.chosen);
  panel.setAttribute('aria-live', 'polite');
  bar.after(panel);
  const close = make('button', {textContent: box.dataset.close, onclick: () => pick(-1)});
  function pick(index) {
    token = index;
    panel.hidden = token < 0;
    if (token >= 0) {
      const card = document.getElementById('token-' + token).cloneNode(true);
      panel.replaceChildren(close, ...card.childNodes, make('p', {}));
    }
    mark();
  }
  box.addEventListener('click', event => {
    const to = event.target.closest('a[href^="#token-"]');
    const cell = event.target.closest('.passage > span');
    if (to) event.preventDefault();
    if (to) pick(Number(to.hash.slice(7)));
    else if (cell) pick([...cell.parentNode.children].indexOf(cell));
  });
  box.classList.add('scripted');
  mark();
}
)js";

}  // namespace

Script dashboard_script() { return {.text = text, .hash = hash}; }

std::string script_words() {
    std::string out;
    for (auto [name, words] : {std::pair{"previous", "previous"},
                               {"next", "next"},
                               {"rows", "Show rows with"},
                               {"chosen", "The chosen token"},
                               {"close", "close"}}) {
        out += std::string(" data-") + name + "=\"" + escape_text(local(words)) + "\"";
    }
    return out + " data-here=\"" + escape_text(local("has {} here")) + "\"";
}

}  // namespace vimach
