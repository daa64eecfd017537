// Order between a page and its server, which Gradio's client leaves to chance: questions sent one
// after the other may arrive in another order, an answer that is faster than its receipt is shown
// before older ones, and what is asked while the stream of answers ends is answered into a stream
// that nobody reads. So: a question waits for the receipt of the one before, an answer for its own
// receipt, and where answers lie unread another question (of the bar) opens the next stream.
(() => {
  const plain = window.fetch;
  const open = new Map(); // questions with a receipt and no answer: how often they were reminded of
  const receipts = new Map(); // what waits for a receipt
  const known = new Set();
  let before = Promise.resolve();
  let streams = 0;
  let timer = 0;

  function look() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (streams) return;
      for (const [id, times] of open) times < 5 ? open.set(id, times + 1) : open.delete(id);
      if (!open.size) return;
      document.dispatchEvent(new Event("sdmerge-unread"));
      look();
    }, 150);
  }

  async function ask(what, options) {
    const turn = before;
    let done;
    before = new Promise((resolve) => { done = resolve; });
    await turn;
    try {
      const answer = await plain(what, options);
      const text = await answer.text();
      const receipt = new Response(text, { status: answer.status, headers: answer.headers });
      receipt.json = async () => { // read at once, so that the client knows the question by then
        const told = JSON.parse(text);
        if (told.event_id) setTimeout(note, 0, told.event_id);
        return told;
      };
      return receipt;
    } finally {
      done();
    }
  }

  function note(id) {
    known.add(id);
    open.set(id, 0);
    receipts.get(id)?.();
    look();
  }

  const receipt = (id) => new Promise((resolve) => {
    receipts.set(id, resolve);
    setTimeout(resolve, 5000);
  });

  async function tell(line, stream) {
    const { msg, event_id: id } = line.startsWith("data:") ? JSON.parse(line.slice(5)) : {};
    if (id && !known.has(id)) await receipt(id);
    if (msg === "process_completed") for (const one of [open, known, receipts]) one.delete(id);
    stream.enqueue(`${line}\n`);
  }

  async function listen(what, options) {
    streams += 1;
    const ended = () => { streams -= 1; look(); };
    const answer = await plain(what, options).catch((fault) => { ended(); throw fault; });
    const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const shown = new ReadableStream({
      async start(stream) {
        try {
          let rest = "";
          for (let { done, value } = await text.read(); !done; { done, value } = await text.read()) {
            const lines = (rest + value).split("\n");
            rest = lines.pop();
            for (const line of lines) await tell(line, stream);
          }
          stream.close();
        } catch (fault) {
          stream.error(fault);
        }
        ended();
      },
    });
    return new Response(shown.pipeThrough(new TextEncoderStream()), { status: answer.status, headers: answer.headers });
  }

  window.fetch = (what, options) => {
    const { pathname } = new URL(what.url ?? what, location.href);
    if (pathname.endsWith("/queue/join")) return ask(what, options);
    return pathname.endsWith("/queue/data") ? listen(what, options) : plain(what, options);
  };
})();
