/** File names that suffer where invisible characters are dropped or characters are cut between code points. */
export const names = [
	'👩‍👩‍👧‍👦 👍🏽 ❤️‍🔥.jpg',
	'🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} 🇺🇦.jpg',
	// Persian, with the joiner that keeps its letters apart.
	'می\u200cخواهم ۱۲.jpg',
	// Sinhala, with the joiner that makes one letter of two.
	'ශ්\u200dරී ලංකා.jpg',
	'תמונה\u200f (1) \u200ea.jpg',
	'नमस्ते é 写真.jpg'.normalize('NFD'),
];
