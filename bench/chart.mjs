/** Lines over minutes, as an SVG that a browser shows. */

const width = 900;
const height = 240;
const left = 70;
const right = 180;
const top = 40;
const bottom = 30;
/** Distinguishable for people with colour vision deficiency (Okabe and Ito, 2008). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

/** @param {{ title: string, lines: { name: string, points: [number, number][] }[] }[]} panels from top to bottom */
export function chart(panels) {
	const total = panels.length * (height + top + bottom);
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12">`,
		`<title>${panels.map(({ title }) => title).join('; ')}</title>`,
		`<rect width="${width}" height="${total}" fill="#fff"/>`,
		...panels.map((panel, at) => drawPanel(panel, at * (height + top + bottom))),
		'</svg>\n',
	].join('\n');
}

function drawPanel({ title, lines }, y) {
	const points = lines.flatMap((line) => line.points);
	const longest = Math.max(...points.map(([minutes]) => minutes), 1e-9);
	const highest = Math.max(...points.map(([, value]) => value), 1) * 1.05;
	const at = ([minutes, value]) => {
		const x = left + (minutes / longest) * (width - left - right);
		return `${x.toFixed(1)},${(y + top + height - (value / highest) * height).toFixed(1)}`;
	};
	const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
		const [x, gridY] = at([0, highest * share])
			.split(',')
			.map(Number);
		const label = highest * share < 10 ? (highest * share).toFixed(1) : Math.round(highest * share);
		return `<path d="M${x} ${gridY}H${width - right}" stroke="#ddd"/><text x="${x - 8}" y="${gridY + 4}" text-anchor="end">${label}</text>`;
	});
	const minutes = [0, 0.25, 0.5, 0.75, 1].map((share) => {
		const [x] = at([longest * share, 0]).split(',');
		return `<text x="${x}" y="${y + top + height + 18}" text-anchor="middle">${(longest * share).toFixed(1)} min</text>`;
	});
	const drawn = lines.map(({ name, points: own }, index) => {
		const colour = colours[index % colours.length];
		const legend = y + top + 14 + index * 20;
		return [
			`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${own.map(at).join(' ')}"/>`,
			`<rect x="${width - right + 16}" y="${legend - 9}" width="12" height="12" fill="${colour}"/><text x="${width - right + 34}" y="${legend + 1}">${name}</text>`,
		].join('');
	});
	return [`<text x="${left}" y="${y + 24}" font-weight="bold">${title}</text>`, ...grid, ...minutes, ...drawn].join(
		'\n',
	);
}
