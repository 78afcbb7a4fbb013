/* Small improvements. Every page works without this file. */
(function () {
  'use strict';
  var doc = document;
  function all(selector, root) { return Array.prototype.slice.call((root || doc).querySelectorAll(selector)); }
  function closest(el, selector) { return el && el.closest ? el.closest(selector) : null; }

  /* copy the sharing link; a browser that refuses shows it, to be copied by hand */
  all('[data-copy]').forEach(function (button) {
    if (!navigator.clipboard) { return; }
    var label = button.querySelector('[data-word]') || button, word = label.innerHTML;
    button.hidden = false;
    (closest(button, '[hidden]') || button).hidden = false;
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', function () {
      navigator.clipboard.writeText(button.dataset.copy).then(function () {
        label.textContent = button.dataset.done || word;
        setTimeout(function () { label.innerHTML = word; }, 3000);  /* may hold words for readers only */
      }, function () { window.prompt(label.textContent, button.dataset.copy); });
    });
  });

  /* the share sheet of the phone */
  all('[data-share]').forEach(function (button) {
    if (!navigator.share) { return; }
    (closest(button, '[hidden]') || button).hidden = false;
    button.addEventListener('click', function () {
      var sheet = { title: button.dataset.title || doc.title, url: button.dataset.share };
      if (button.dataset.text) { sheet.text = button.dataset.text; }
      navigator.share(sheet).catch(function () {});
    });
  });

  /* menus: one open at a time, Escape and a click beside close them */
  var menus = all('details[data-menu]');
  menus.forEach(function (menu) {
    menu.addEventListener('toggle', function () {
      if (!menu.open) { return; }
      menus.forEach(function (other) { if (other !== menu) { other.open = false; } });
      var box = menu.querySelector('input[type="search"]');
      if (box) { box.focus(); }
    });
  });
  doc.addEventListener('click', function (event) {
    menus.forEach(function (menu) { if (menu.open && !menu.contains(event.target)) { menu.open = false; } });
  });
  doc.addEventListener('keydown', function (event) {
    if (event.key !== 'Escape') { return; }
    menus.forEach(function (menu) {
      if (!menu.open) { return; }
      menu.open = false;
      if (menu.contains(doc.activeElement)) { menu.querySelector('summary').focus(); }
    });
  });

  /* a form is sent once; going back gives the button again */
  doc.addEventListener('submit', function (event) {
    var form = event.target;
    if (event.defaultPrevented || (form.method || '').toLowerCase() !== 'post' || form.hasAttribute('data-again')) { return; }
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = '1';
    var pressed = all('button[type="submit"], button:not([type])', form).filter(function (button) { return !button.disabled; });
    function again() { delete form.dataset.sent; pressed.forEach(function (button) { button.disabled = false; }); }
    setTimeout(function () { pressed.forEach(function (button) { button.disabled = true; }); }, 0);  /* after the pressed button was read */
    setTimeout(again, 10000);                                                                       /* a download leaves the page where it is */
    window.addEventListener('pageshow', again, { once: true });
  });

  /* characters: "46 of 60" */
  all('[data-counter]').forEach(function (box) {
    var out = doc.getElementById(box.dataset.counter);
    if (!out) { return; }
    var most = Number(out.dataset.max);
    function write() {
      out.textContent = out.dataset.text.replace('{n}', box.value.length).replace('{max}', most);
      out.classList.toggle('is-over', box.value.length > most);
    }
    box.addEventListener('input', write);
    write();
  });

  /* errors: bring the list to the reader */
  var mend = doc.querySelector('[data-focus]');
  if (mend) { mend.focus({ preventScroll: false }); }

  /* the hold: the clock time is the truth, this is an ornament */
  all('.hold[data-seconds]').forEach(function (hold) {
    var clock = hold.querySelector('[data-clock]');
    var say = hold.querySelector('[data-say]');
    var end = Date.now() + Number(hold.dataset.seconds) * 1000;
    var told = '';
    function tell(words) { if (say && words && told !== words) { told = words; say.textContent = words; } }
    function tick() {
      var left = Math.max(0, Math.round((end - Date.now()) / 1000));
      clock.textContent = Math.floor(left / 60) + ':' + ('0' + left % 60).slice(-2);
      if (left === 0) { hold.classList.add('is-over'); tell(hold.dataset.over); return; }
      if (left <= 120) { tell(hold.dataset.soon); }
      setTimeout(tick, 1000);
    }
    clock.hidden = false;
    tick();
  });

  /* money in the reader's language */
  function money(minor, form) {
    var style = { style: 'currency', currency: form.dataset.currency || 'EUR' };
    var write = new Intl.NumberFormat(form.dataset.locale || doc.documentElement.lang || undefined, style);
    var digits = write.resolvedOptions().maximumFractionDigits;
    return { text: write.format(minor / Math.pow(10, digits)), digits: digits };
  }

  /* live total: <form data-live data-currency data-locale>; controls and options carry data-price in
     minor units and data-label (data-label-with="size" adds the chosen value of that group); a box typed in whole money carries data-amount
     (and data-instead="bonus" when, filled, it replaces the group of that name). What lies in the folded
     part of a choice that is not chosen does not count. */
  all('form[data-live]').forEach(function (form) {
    var total = doc.querySelector('[data-total]');
    var lines = doc.querySelector('[data-lines]');
    if (!total) { return; }
    function counts(control) {
      var fold = closest(control, '.choice-more');
      if (!fold) { return true; }
      var pick = fold.parentNode.querySelector('.choice-main input');
      return !pick || pick.checked;
    }
    function typed(text) {
      var clean = text.replace(/[^0-9.,]/g, '').replace(/[.,](?=\d{3}(\D|$))/g, '').replace(',', '.');
      return parseFloat(clean) || 0;
    }
    function add() {
      var sum = 0, rows = [], digits = money(0, form).digits, instead = {};
      all('[data-instead]', form).forEach(function (box) { if (box.value.trim()) { instead[box.dataset.instead] = true; } });
      all('input, select', form).forEach(function (control) {
        if (!counts(control) || control.disabled || instead[control.name]) { return; }
        var price = null, label = control.dataset.label || '', many = 1;
        if (control.dataset.amount !== undefined) {
          price = Math.round(typed(control.value) * Math.pow(10, digits));
        } else if (control.tagName === 'SELECT') {
          var option = control.options[control.selectedIndex];
          if (option && option.dataset.price !== undefined) { price = Number(option.dataset.price); label = option.dataset.label || label || option.text; }
        } else if (control.dataset.price !== undefined) {
          if ((control.type === 'radio' || control.type === 'checkbox') && !control.checked) { return; }
          if (control.type === 'number') { many = Math.max(0, parseInt(control.value, 10) || 0); }
          price = Number(control.dataset.price) * many;
        }
        var also = control.dataset.labelWith && form.querySelector('[name="' + control.dataset.labelWith + '"]:checked');
        if (also) { label += ', ' + also.value; }
        if (price === null || (price === 0 && !label) || many === 0) { return; }
        sum += price;
        if (label && price) { rows.push([many > 1 ? many + ' × ' + label : label, price]); }
      });
      total.textContent = money(sum, form).text;
      if (!lines) { return; }
      all('.sum-line:not(.sum-total):not([data-none])', lines).forEach(function (line) { line.remove(); });
      all('[data-none]', lines).forEach(function (line) { line.hidden = rows.length > 0; });
      rows.forEach(function (row) {
        var line = doc.createElement('div'), dt = doc.createElement('dt'), dd = doc.createElement('dd');
        line.className = 'sum-line'; dt.textContent = row[0]; dd.textContent = money(row[1], form).text;
        line.append(dt, dd);
        lines.insertBefore(line, lines.querySelector('.sum-total'));
      });
    }
    function touched(c) { return c.type === 'radio' || c.type === 'checkbox' ? c.checked !== c.defaultChecked : c.tagName !== 'SELECT' && c.value !== c.defaultValue; }
    form.addEventListener('input', add);
    form.addEventListener('change', add);
    /* what the server wrote stands until something differs from it (a browser may restore a form) */
    if (all('input, select', form).some(touched)) { add(); }
    window.addEventListener('pageshow', function (event) { if (event.persisted) { add(); } });
  });

  /* picked rows: how many, how much; one box for all */
  all('form').forEach(function (form) {
    var picks = all('.pick', form);
    var out = form.querySelector('[data-picked]');
    if (!picks.length) { return; }
    var whole = form.querySelector('[data-pick-all]');
    function count() {
      var on = picks.filter(function (p) { return p.checked; });
      if (out) {
        var minor = on.reduce(function (sum, p) { return sum + Number(p.dataset.amount || 0); }, 0);
        out.textContent = out.dataset.picked.replace('{n}', on.length) + (form.dataset.currency ? ', ' + money(minor, form).text : '');
      }
      if (whole) { whole.checked = on.length === picks.length; whole.indeterminate = on.length > 0 && on.length < picks.length; }
    }
    form.addEventListener('change', function (event) {
      if (event.target === whole) { picks.forEach(function (p) { p.checked = whole.checked; }); }
      count();
    });
    all('[data-pick-none]', form).forEach(function (button) {
      button.addEventListener('click', function (event) { event.preventDefault(); picks.forEach(function (p) { p.checked = false; }); count(); });
    });
    if (whole) { whole.hidden = false; }
    count();
  });
}());
