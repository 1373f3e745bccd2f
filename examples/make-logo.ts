import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

/**
 * Draws `logo.png`, the watermark of the guides: a pill with a red dot and mountains. All of it is made here, so it belongs to the
 * project. Run it with `node --import tsx examples/make-logo.ts`.
 */
const drawing = `
	<svg xmlns="http://www.w3.org/2000/svg" width="480" height="160">
		<rect x="4" y="4" width="472" height="152" rx="76" fill="#ffffff" fill-opacity="0.6" stroke="#1d3557" stroke-width="8"/>
		<circle cx="84" cy="80" r="40" fill="#e63946"/>
		<path d="M160 112 L220 48 L262 92 L300 60 L352 112 Z" fill="#1d3557"/>
		<circle cx="396" cy="80" r="14" fill="#1d3557"/>
	</svg>`;

const target = fileURLToPath(new URL('./logo.png', import.meta.url));
const { width, height, size } = await sharp(Buffer.from(drawing)).png({ palette: true, colours: 64 }).toFile(target);
process.stdout.write(`${target}: ${width} × ${height}, ${size} bytes\n`);
