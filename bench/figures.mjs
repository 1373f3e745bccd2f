/** Numbers for a person to read. */

export function median(numbers) {
	const sorted = [...numbers].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A table in Markdown. @param {object[]} rows with the same keys, which head the columns */
export function table(rows) {
	const columns = Object.keys(rows[0]);
	const line = (cells) => `| ${cells.join(' | ')} |\n`;
	return [line(columns), line(columns.map(() => '---')), ...rows.map((row) => line(Object.values(row)))].join('');
}
