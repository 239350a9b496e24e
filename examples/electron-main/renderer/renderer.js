// The page. It works with `fields`, which the preload gives it, and with nothing else.
const form = document.querySelector('form');
const shown = document.querySelector('output');
const status = document.querySelector('[role=status]');
let envelope;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const at = { table: 'connectionProtocols', record: form.elements.record.value, field: 'password.ssh' };
  const input = form.elements.password;
  if (event.submitter.value === 'seal') {
    const sealed = await fields.seal(at, new TextEncoder().encode(input.value));
    if (sealed.ok) {
      envelope = sealed.value;
      input.value = '';
      shown.textContent = btoa(String.fromCharCode(...envelope));
    }
    status.textContent = sealed.ok ? `Sealed for ${at.record}.` : sealed.code;
  } else if (envelope) {
    // Opens for the host that it was sealed for. For another one it is AUTH_FAILED: try it.
    const opened = await fields.open(at, envelope);
    if (opened.ok) input.value = new TextDecoder().decode(opened.value);
    status.textContent = opened.ok ? `Opened for ${at.record}.` : opened.code;
  }
});
