"use strict";
// Switching the language takes along what is typed into a form of the page and not sent yet: the server keeps it for the person
// and shows the form with it in the other language. Of forms with passwords, codes or files nothing is taken.
(() => {
  const switching = document.getElementById("language");
  if (!switching) return;
  const secret = "input:is([type='password'], [type='file'], [autocomplete='one-time-code'])";
  let latest = null;

  function changed(field) {
    if (!field.name || field.disabled || ["hidden", "submit", "button"].includes(field.type)) return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.options) {
      return field.selectedIndex !== Math.max([...field.options].findIndex((each) => each.defaultSelected), 0);
    }
    return field.value !== field.defaultValue;
  }

  // the form that was written in last
  function begun() {
    const forms = [...document.querySelectorAll("main form[method='post']")];
    const found = forms.filter((form) => !form.querySelector(secret) && [...form.elements].some(changed));
    return found.includes(latest) ? latest : found[0];
  }

  function carry(name, value) {
    let field = switching.querySelector(`input[name='${name}']`);
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      switching.append(field);
    }
    field.value = value;
  }

  document.addEventListener("input", (event) => { latest = event.target.form; });
  switching.addEventListener("submit", () => {
    const form = begun();
    if (!form) return; // what a form was refused with is there already
    const address = new URL(form.getAttribute("action") || window.location.href, window.location.href);
    carry("form", address.pathname + address.search);
    carry("typed", new URLSearchParams(new FormData(form)).toString());
  });
})();
