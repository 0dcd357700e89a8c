(() => {
const gone = document.getElementById('gone');
const search = document.getElementById('search');
const still = 'still' in document.documentElement.dataset;
let main = document.querySelector('main');
let last = ''; // what is said while the server is gone
let before = ''; // what is said of an instance that is gone, once another one responds
const time = () => new Date().toISOString().slice(11, 19) + ' UTC';
const filter = () => {
  const text = search.value.trim().toLowerCase();
  for (const list of main.querySelectorAll('details.tasks')) {
    let found = 0;
    for (const row of list.querySelectorAll('li.row')) {
      row.hidden = text !== '' && !row.textContent.toLowerCase().includes(text);
      found += !row.hidden;
    }
    list.hidden = found === 0;
    if (text !== '') list.open = true;
  }
};
const say = text => { gone.textContent = text; gone.hidden = text === ''; };
const update = page => {
  const fresh = page.querySelector('main');
  for (const old of main.querySelectorAll('details[data-key]')) {
    const key = '[data-key="' + CSS.escape(old.dataset.key) + '"]';
    const same = fresh.querySelector('details' + key);
    if (same && 'touched' in old.dataset) {
      same.open = old.open;
      same.dataset.touched = '';
    }
  }
  if (last && fresh.dataset.instance !== main.dataset.instance) {
    before = last + ' Another instance responds now.';
  }
  last = '';
  say(before);
  main.replaceWith(fresh);
  main = fresh;
  document.title = page.title;
  document.body.classList.remove('stale');
  search.hidden = !search.value && main.dataset.tasks <= 12;
  if (search.value) filter();
};
const lose = text => {
  if (document.body.classList.contains('stale')) return;
  document.body.classList.add('stale');
  document.title = 'gone: ' + document.title;
  last = text;
  say(text + ' This is its last state.');
};
const tick = async () => {
  try {
    const response = await fetch(location.href, {cache: 'no-store', headers: {accept: 'text/html'}});
    if (!response.ok) lose('Responds with ' + response.status + ' since ' + time() + '.');
    else update(new DOMParser().parseFromString(await response.text(), 'text/html'));
  } catch {
    lose('Gone at ' + time() + ' while ' + main.dataset.doing + '.');
  }
  setTimeout(tick, 1000 * main.dataset.seconds);
};
gone.addEventListener('click', () => say(before = ''));
search.hidden = main.dataset.tasks <= 12;
search.addEventListener('input', filter);
document.addEventListener('click', event => {
  const summary = event.target.closest('summary');
  if (summary) summary.parentElement.dataset.touched = '';
});
if (!still) setTimeout(tick, 1000 * main.dataset.seconds);
})();
