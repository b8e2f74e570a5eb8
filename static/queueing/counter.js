// The counter tablet: five taps are one press, the button answers at once, and nothing is sent while the line is down.
'use strict';
(() => {
  const desk = document.querySelector('.desk');
  const say = document.querySelector('[data-say]');
  const offline = () => document.documentElement.dataset.live === 'off';
  const ONE_PRESS_MS = 400; // a hurried finger's further taps belong to the first one, however fast the answer is
  let busy = false;

  document.addEventListener('submit', async (event) => {
    const form = event.target.closest('[data-press]');
    if (!form) return;
    event.preventDefault();
    if (busy || offline()) return;
    busy = true;
    const ready = new Promise((done) => { setTimeout(done, ONE_PRESS_MS); });
    const words = new URLSearchParams(new FormData(form, event.submitter));
    const focus = event.submitter?.closest('.press__main') ? '.press__main button' : null;
    event.submitter?.setAttribute('aria-busy', 'true');
    desk.setAttribute('aria-busy', 'true');
    try {
      const reply = await fetch(form.action, { method: 'POST', body: words, signal: AbortSignal.timeout(5000) });
      if (reply.status >= 500) throw new Error(reply.status);
      await redraw(reply);
      if (focus) desk.querySelector(focus)?.focus();
    } catch {
      // Nothing is sent again by itself. The same key goes out with the next tap, so a press that did arrive is not repeated.
      const note = desk.querySelector('[data-message]');
      note.textContent = say.dataset.failed;
      note.hidden = false;
      event.submitter?.removeAttribute('aria-busy');
    }
    await ready;
    desk.removeAttribute('aria-busy');
    busy = false;
  });

  // The answer to a press is this page again, with fresh keys. Another page (log-in, no right) shows itself best after a reload.
  async function redraw(reply) {
    const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html').querySelector('.desk');
    if (!fresh) return location.reload();
    desk.innerHTML = fresh.innerHTML;
    const told = desk.querySelectorAll('.desk__message, .desk__state, .desk__number, .desk__words');
    say.textContent = [...told].map((part) => part.textContent.replace(/\s+/g, ' ').trim()).filter(Boolean).join('. ');
  }

  document.addEventListener('keydown', (event) => {
    if (!['F2', 'F4', 'F8'].includes(event.key) || event.repeat) return;
    event.preventDefault();
    desk.querySelector(`[data-key="${event.key}"]`)?.click();
  });
})();
