/**
 * Builds an element. Text becomes text nodes, never markup, because names, tags and messages come from outside.
 *
 * @example
 * el('a', { href: '#top', onclick: () => close() }, 'Close')
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number | boolean | undefined | ((event: any) => void)>} [attributes] `true` for an attribute
 *   without a value; false and undefined omit it; functions are listeners, under names such as `onclick`
 * @param {...(Node | string | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function el(name, attributes = {}, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (typeof value === 'function') element.addEventListener(key.slice(2), value);
		else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : String(value));
	}
	for (const child of children) if (child) element.append(child);
	return element;
}

/**
 * An element of the page's HTML.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 */
export function byId(id, type) {
	const element = document.getElementById(id);
	if (element instanceof type) return element;
	throw new Error(`Expected a ${type.name} with the id ${id}.`);
}
