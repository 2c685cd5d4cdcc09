// Tells the window that shows this page what Pay Station tells its widget: in text, as JSON, whatever the origin.
(() => {
  const isFramed = window.parent !== window;
  const host = isFramed ? window.parent : window.opener;
  if (!host) return;
  const post = (command, data) => host.postMessage(JSON.stringify({ command, data }), '*');

  post('widget-detection', {});
  const { message } = document.querySelector('main').dataset;
  if (message) post('status', JSON.parse(message));

  // In a frame it is for the game to take the frame away.
  const back = document.querySelector('.back');
  if (isFramed && back) {
    back.hidden = false;
    back.addEventListener('click', (event) => {
      event.preventDefault();
      post('close', {});
    });
  }
})();
