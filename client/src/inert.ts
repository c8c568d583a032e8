/** The id of a value that stands for an error already reported; nodes on it are not recorded, and no error follows. */
export const INERT = -1;
