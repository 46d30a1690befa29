// Someone who works for a page.

/** A worker that runs the function `work`, or, where none can be made, this page in slices. What work().serve answers,
 *  `hear` is told. */
export function worker(work, hear) {
  const inPage = () => {
    const answer = work().serve((news) => setTimeout(() => hear(news)), 8);
    return { send: answer, end: () => answer({ go: false }) };
  };
  try {
    const source = `const answer = (${work})().serve(postMessage, 10);onmessage = ({ data }) => answer(data);`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    let one = new Worker(address);
    const sent = [];
    one.onmessage = ({ data }) => hear(data);
    // A page may forbid workers, and tells it only now: what was sent is done here.
    one.onerror = () => {
      one = inPage();
      sent.forEach(one.send);
    };
    const send = (message) => {
      if (one.send) return one.send(message);
      sent.push(message);
      one.postMessage(message);
    };
    return { send, end: () => (one.end ? one.end() : one.terminate()) };
  } catch {
    return inPage();
  }
}
