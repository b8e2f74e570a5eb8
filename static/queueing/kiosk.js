// Kiosk and reception: one press is one ticket, and a server that does not answer is said within three seconds.
'use strict';
(() => {
  const form = document.querySelector('[data-take]');
  if (!form) return;
  const trouble = document.querySelector('[data-trouble]');
  const more = document.querySelector('[data-more]');
  let busy = false;

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    trouble.hidden = true;
    event.submitter?.setAttribute('aria-busy', 'true');
    const words = new FormData(form, event.submitter);
    try {
      const reply = await fetch(form.action, { method: 'POST', body: new URLSearchParams(words), signal: AbortSignal.timeout(3000) });
      if (reply.status >= 500) throw new Error(reply.status);
      const page = await reply.text();
      // The answer is a whole page with scripts of its own; writing it keeps the kiosk's address, so a reload never posts again.
      document.open();
      document.write(page);
      document.close();
    } catch {
      // The key stays the same: should the first press have arrived after all, the next one gives the same number.
      trouble.hidden = false;
      trouble.scrollIntoView({ block: 'nearest' });
      busy = false;
      event.submitter?.removeAttribute('aria-busy');
    }
  });

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const button = /^[1-9]$/.test(event.key) && form.querySelector(`[data-key="${event.key}"]`);
    if (button) { event.preventDefault(); button.click(); }
  });

  // What one person chose must not greet the next: ask after 20 s of silence, forget after 30.
  if (more) {
    let asking = 0, forgetting = 0;
    const touched = () => {
      clearTimeout(asking);
      clearTimeout(forgetting);
      more.hidden = true;
      const chosen = form.querySelector('[name=priority]:checked');
      if (!chosen || !chosen.value) return;
      asking = setTimeout(() => { more.hidden = false; }, 20000);
      forgetting = setTimeout(() => { form.reset(); more.hidden = true; }, 30000);
    };
    for (const kind of ['pointerdown', 'keydown', 'change']) document.addEventListener(kind, touched);
    more.querySelector('button').addEventListener('click', touched);
  }
})();
