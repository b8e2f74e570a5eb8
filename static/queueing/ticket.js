// What a kiosk shows after a press, ticket or refusal: back to the start after a minute; for a ticket the print button too.
'use strict';
(() => {
  setTimeout(() => { location.href = document.body.dataset.back; }, 60000);
  const button = document.querySelector('[data-print]');
  if (!button) return;
  button.hidden = false;
  button.addEventListener('click', () => window.print());
  if ('autoprint' in document.body.dataset) window.print();
})();
