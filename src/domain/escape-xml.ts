const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Text from outside as plain text of HTML, XML or Pango markup, in elements and in quoted attributes alike. */
export function escapeXml(text: string): string {
	return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
