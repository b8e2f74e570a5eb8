// The ticket on the screen: the print button, and printing by itself where the kiosk has a printer.
'use strict';
(() => {
  const button = document.querySelector('[data-print]');
  button.hidden = false;
  button.addEventListener('click', () => window.print());
  if ('autoprint' in document.body.dataset) window.print();
})();
