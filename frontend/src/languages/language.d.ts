/** The language of this build, such as `en`. */
declare const LANGUAGE: string
