// Tries what the page's Content-Security-Policy forbids. Whoever could slip a script into the page,
// or have it send something elsewhere, could read what it opens.

/** What was refused: code from text, a script in the page itself, a request to another place. */
export async function tryForbidden(foreignUrl) {
  const inlineScript = await reported('script-src', insertScript);
  const foreignFetch = await reported('connect-src', () => fetch(foreignUrl, { mode: 'no-cors' }));
  return {
    eval: await codeFromText(),
    inlineScript: inlineScript && !('insertedScriptRan' in globalThis),
    foreignFetch,
  };
}

/** In a task of the page's own: what a debugger starts is not under the policy. */
function codeFromText() {
  return new Promise((resolve) => {
    setTimeout(() => {
      try {
        new Function('return 1')();
        resolve(false);
      } catch (error) {
        resolve(error instanceof EvalError);
      }
    });
  });
}

function insertScript() {
  const script = document.createElement('script');
  script.textContent = 'globalThis.insertedScriptRan = true;';
  document.head.append(script);
  script.remove();
}

/** Whether the browser says that it refused an attempt because of this directive. */
async function reported(directive, attempt) {
  const seen = [];
  const listen = (event) => seen.push(event.effectiveDirective);
  document.addEventListener('securitypolicyviolation', listen);
  try {
    await attempt();
  } catch {
    // A refused request rejects as one does that fails: the report tells them apart.
  }
  await new Promise((done) => setTimeout(done, REPORTED_WITHIN));
  document.removeEventListener('securitypolicyviolation', listen);
  return seen.some((name) => name.startsWith(directive));
}

/** Milliseconds. */
const REPORTED_WITHIN = 100;
