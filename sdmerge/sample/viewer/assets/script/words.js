/** One catalogue for every word of the page, in English and Japanese. */

const wordsOf = (catalogue, language) => (key, values = {}) => {
  const text = catalogue[key][language];
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
};

const systemLanguage = () => (navigator.language.startsWith("ja") ? "ja" : "en");
