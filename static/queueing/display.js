// The hall display: draws a call straight from the event, keeps each call large for eight seconds, and shows the server's clock.
'use strict';
(() => {
  const HOLD_MS = 8000;
  const body = document.body;
  const board = document.querySelector('[data-url]');
  const pattern = document.querySelector('template[data-call]').content.firstElementChild;
  const names = JSON.parse(body.dataset.counters || '{}');
  const time = new Intl.DateTimeFormat('vi-VN', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: 'Asia/Ho_Chi_Minh' });
  const queue = [];          // numbers called while another one was being held, oldest first
  let large = null;          // {number, until}: the call in the large place
  let drift = Date.parse(body.dataset.now) - Date.now();

  // A change may be an old one that is told again after a lost connection: only pulse and snapshot say what time it is.
  for (const kind of ['pulse', 'snapshot']) {
    document.addEventListener(`motcua:${kind}`, ({ detail }) => { drift = Date.parse(detail.at) - Date.now(); });
  }

  document.addEventListener('motcua:change', ({ detail }) => {
    for (const [code, count] of Object.entries(detail.waiting || {})) {
      const cell = board.querySelector(`[data-waiting="${CSS.escape(code)}"]`);
      if (cell) cell.textContent = count;
    }
    if ((detail.kind === 'called' || detail.kind === 'recalled') && detail.ticket) {
      call(detail.ticket.number, detail.ticket.counter || detail.counter?.code, detail.at);
      arrange();
    }
  });

  // Where no socket is possible, or after a long silence, there are no single changes: what is newer than our newest call is new.
  document.addEventListener('motcua:snapshot', ({ detail }) => {
    const newest = Math.max(0, ...[...board.querySelectorAll('.call')].map((row) => Date.parse(row.dataset.at)));
    for (const { number, counter, called_at: at } of [...detail.calls].reverse()) {
      if (Date.parse(at) > newest) call(number, counter, at);
    }
    arrange();
  });

  // What was called more than a minute ago is shown, but takes no turn in the large place.
  function call(number, counter, at) {
    add(number, counter, at);
    if (Date.parse(at) > Date.now() + drift - 60000) queue.push(number);
  }

  // The server's own drawing replaces ours; the call that is being held goes back to the large place.
  new MutationObserver((changes) => { if (changes.some((change) => change.target === board)) arrange(); }).observe(board, { childList: true });

  function add(number, counter, at) {
    const current = board.querySelector('[data-calls]');
    if (!current) return;
    const past = board.querySelector('[data-past]');
    board.querySelector(`.call[data-number="${CSS.escape(number)}"]`)?.remove();
    const row = pattern.cloneNode(true);
    const words = names[counter] || `${body.dataset.counterWord} ${counter}`;
    row.dataset.number = number;
    row.dataset.at = at;
    row.querySelector('.call__number').textContent = number;
    row.querySelector('.call__to').textContent = words;
    row.querySelector('.call__to').classList.toggle('call__to--long', words.length > 8);
    row.querySelector('.call__at').textContent = time.format(new Date(at));
    current.prepend(row);
    while (current.children.length > 4) past.prepend(current.lastElementChild);
    while (past.children.length > 6) past.lastElementChild.remove();
  }

  // Two calls within eight seconds: the second is seen at once in the row below and becomes large when the first had its time.
  function arrange() {
    const current = board.querySelector('[data-calls]');
    if (!current) return;
    const find = (number) => [...current.children].find((row) => row.dataset.number === number);
    while (queue.length && (!large || Date.now() >= large.until || !find(large.number))) {
      const number = queue.shift();
      if (find(number)) {
        large = { number, until: Date.now() + HOLD_MS };
        setTimeout(arrange, HOLD_MS + 20);
      }
    }
    if (!large) return;
    const row = find(large.number);
    const held = Date.now() < large.until;
    if (row && (held || queue.length) && current.firstElementChild !== row) current.prepend(row);
    for (const other of current.children) other.classList.toggle('call--new', held && other === row);
  }

  const clock = document.querySelector('[data-clock]');
  const tick = () => { clock.textContent = time.format(new Date(Date.now() + drift)); };
  setInterval(tick, 1000);
  tick();
})();
