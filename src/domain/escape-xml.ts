const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Escapes untrusted text for HTML, XML or Pango markup. Safe in elements and in quoted attributes. */
export function escapeXml(text: string): string {
	return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
