// The phone ticket: asks now and then whether something changed and, if so, draws the page again in place.
'use strict';
(() => {
  const body = document.body;
  const strip = document.querySelector('[data-strip]');
  let etag = body.dataset.etag;
  let alerting = false;
  let sound = null;
  let timer = 0;

  // A line that swallows everything must not look like a server that thinks.
  const patiently = () => ({ cache: 'no-store', signal: AbortSignal.timeout?.(4500) });

  // A fifth more or less at random, so that a hall full of phones does not ask in the same second.
  function later() {
    clearTimeout(timer);
    timer = setTimeout(ask, (Number(body.dataset.refresh) || 30) * 1000 * (0.8 + 0.4 * Math.random()));
  }

  async function ask() {
    if (!body.dataset.stateUrl) return;
    try {
      const reply = await fetch(body.dataset.stateUrl, { ...patiently(), headers: etag ? { 'If-None-Match': etag } : {} });
      if (reply.status !== 304) {
        if (!reply.ok) throw new Error(reply.status);
        await redraw();
        etag = reply.headers.get('ETag') || '';
      }
      strip.hidden = true;
    } catch { strip.hidden = false; }
    later();
  }

  async function redraw() {
    const reply = await fetch(location.href, patiently());
    if (!reply.ok) throw new Error(reply.status);
    const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html');
    const wasCalled = body.classList.contains('is-called');
    document.title = fresh.title;
    body.className = fresh.body.className;
    for (const name of ['refresh', 'stateUrl']) {
      if (fresh.body.dataset[name]) body.dataset[name] = fresh.body.dataset[name]; else delete body.dataset[name];
    }
    document.querySelector('main').replaceWith(fresh.querySelector('main'));
    offerAlert();
    if (!wasCalled && body.classList.contains('is-called') && alerting) ring();
  }

  // Phones allow sound only after a touch: the button is that touch.
  function offerAlert() {
    const button = document.querySelector('[data-alert]');
    if (!button) return;
    button.hidden = false;
    button.setAttribute('aria-pressed', alerting);
    button.addEventListener('click', () => {
      alerting = !alerting;
      button.setAttribute('aria-pressed', alerting);
      sound = sound || (window.AudioContext && new AudioContext());
      if (alerting) ring(1);
    });
  }

  function ring(times = 3) {
    if (navigator.vibrate) navigator.vibrate(Array(times).fill([300, 200]).flat());
    if (!sound) return;
    for (let i = 0; i < times; i++) {
      const tone = sound.createOscillator();
      tone.frequency.value = 660;
      tone.connect(sound.destination);
      tone.start(sound.currentTime + i * 0.5);
      tone.stop(sound.currentTime + i * 0.5 + 0.25);
    }
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden) ask(); });
  offerAlert();
  later();
})();
