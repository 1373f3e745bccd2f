// The page gets this package's file as its own asset; `rootDirs` puts its types beside the other modules.
export * from 'thumbhash';
