/** The texts in German, without “du” or “Sie”. */

import { formatInteger } from '../formats'
import type { FirstTexts, LaterTexts } from './en'

const photoCount = (number: number): string =>
  number === 1 ? '1 Foto' : `${formatInteger(number)} Fotos`

/** The end of a sentence about photos that something could not be done with. */
const couldNot = (number: number, done: string): string =>
  `${number === 1 ? 'konnte' : 'konnten'} nicht ${done} werden`

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

export const first: FirstTexts = {
  photoCount,
  dayCount: (number) => (number === 1 ? '1 Tag' : `${formatInteger(number)} Tage`),
  takenAtTime: (time) => `Foto vom ${time}`,
  untitled: 'Foto ohne Titel',
  animated: 'Animiert',
  skip: 'Zu den Fotos springen',
  views: 'Ansichten',
  photos: 'Fotos',
  search: 'Suche',
  recent: 'Neu hinzugefügt',
  albums: 'Alben',
  trash: 'Papierkorb',
  upload: 'Fotos hinzufügen',
  camera: 'Foto aufnehmen',
  signOut: 'Abmelden',
  dropHere: 'Fotos irgendwo auf der Seite ablegen',
  offline: 'Keine Verbindung. Weitere Fotos werden geladen, sobald es wieder eine gibt.',
  notLoaded: 'Die Fotos konnten nicht geladen werden.',
  retry: 'Noch einmal versuchen',
  dismiss: 'Ausblenden',
  outdated: 'Safelight wurde aktualisiert. Bitte die Seite neu laden.',
  reload: 'Neu laden',
  codeNotLoaded: 'Ein Teil der Seite konnte nicht geladen werden. Bitte die Verbindung prüfen.',
  filesKept:
    'Das Hochladen konnte noch nicht beginnen. Die Fotos bleiben vorgemerkt, und es wird wieder versucht.',
  filesOutdated:
    'Safelight wurde aktualisiert. Bitte die Seite neu laden und die Fotos noch einmal hinzufügen.',
  gone: 'Dieses Foto gibt es nicht mehr.',
  serverUnreachable: 'Der Server ist nicht erreichbar. Bitte die Verbindung prüfen.',
  unknownError: 'Etwas ist schiefgegangen. Bitte noch einmal versuchen.',
}

export const later: LaterTexts = {
  emptyTitle: 'Noch keine Fotos',
  emptyText:
    'Fotos lassen sich überall auf dieser Seite ablegen, einfügen oder über den Plus-Knopf auswählen.',
  simplePage: 'Stattdessen die einfache Seite zum Hochladen verwenden',
  goToMonth: 'Zu einem Monat springen',

  searchPhotos: 'Fotos suchen',
  foundFor: (typed) => `Suche: ${typed}`,
  found: (number) => `${photoCount(number)} gefunden`,
  nothingFound: 'Keine Fotos gefunden.',
  searchHint:
    'Durchsucht werden Titel, Beschreibungen, Dateinamen und Kameras. Auch ein Jahr oder ein Monat geht, etwa „Strand 2019“.',

  signIn: 'Anmelden',
  sessionEnded:
    'Die Sitzung ist abgelaufen. Der Befehl „safelight token show“ auf dem Server zeigt das Zugangstoken an.',
  token: 'Token',
  deleted: (photo) => `„${photo}“ gelöscht.`,
  notDeleted: (photo) => `„${photo}“ konnte nicht gelöscht werden.`,
  undo: 'Rückgängig',
  restored: (photo) => `„${photo}“ wiederhergestellt.`,

  album: 'Album',
  newAlbum: 'Neues Album',
  newAlbumTitle: 'Titel des neuen Albums',
  createAlbum: 'Album anlegen',
  albumsNotLoaded: 'Die Alben konnten nicht geladen werden.',
  noAlbums: 'Noch keine Alben. In einem Album stehen Fotos in eigener Reihenfolge.',
  noSuchAlbum: 'Dieses Album gibt es nicht.',
  albumTitle: 'Titel des Albums',
  renameAlbum: 'Umbenennen',
  deleteAlbum: 'Album löschen',
  deleteAlbumEllipsis: 'Album löschen …',
  deleteAlbumQuestion: 'Dieses Album löschen? Die Fotos bleiben erhalten.',
  emptyAlbum: 'In diesem Album sind keine Fotos.',
  emptyAlbumHint: 'In einer anderen Ansicht Fotos auswählen, dann „Zu Album hinzufügen“.',
  useAsCover: 'Als Titelbild verwenden',
  coverSet: 'Dieses Foto ist jetzt das Titelbild des Albums.',
  coverNotSet: 'Das Titelbild konnte nicht geändert werden.',
  moveToBeginning: 'An den Anfang verschieben',
  moveEarlier: 'Nach vorn verschieben',
  moveLater: 'Nach hinten verschieben',
  moveToEnd: 'Ans Ende verschieben',
  moved: (number) => `${photoCount(number)} verschoben.`,
  notMoved: (number) => `${photoCount(number)} ${couldNot(number, 'verschoben')}.`,
  add: 'Hinzufügen',
  addToAlbum: 'Zu Album hinzufügen',
  addToAlbumQuestion: (number) => `${photoCount(number)} hinzufügen zu`,
  addedToAlbum: (number) => `${photoCount(number)} zum Album hinzugefügt.`,
  notAddedToAlbum: (number) =>
    `${photoCount(number)} ${couldNot(number, 'zum Album hinzugefügt')}.`,
  removeFromAlbum: 'Aus Album entfernen',
  removedFromAlbum: (number) => `${photoCount(number)} aus dem Album entfernt.`,
  notRemovedFromAlbum: (number) =>
    `${photoCount(number)} ${couldNot(number, 'aus dem Album entfernt')}.`,

  trashHint: (days) =>
    `Fotos werden ${days === 1 ? 'einen Tag' : `${formatInteger(days)} Tage`} nach dem Löschen endgültig gelöscht. Alle Links zu ihnen sind ungültig; ein wiederhergestelltes Foto bekommt neue.`,
  revokingHint:
    'Der Fotospeicher ist nicht erreichbar oder voll. Deshalb funktionieren manche alten Links noch, bis er wieder verfügbar ist.',
  emptyTrash: 'Papierkorb leeren …',
  emptyTrashQuestion: (number) =>
    `${photoCount(number)} endgültig löschen? Das lässt sich nicht rückgängig machen.`,
  emptying: 'Wird geleert …',
  notEmptied: 'Der Papierkorb konnte nicht geleert werden.',
  trashIsEmpty: 'Der Papierkorb ist leer.',
  deletedForGoodOn: (day) => `Wird am ${day} endgültig gelöscht.`,
  restore: 'Wiederherstellen',
  deleteForGood: 'Endgültig löschen',
  deleteForGoodEllipsis: 'Endgültig löschen …',
  cannotBeUndone: 'Das lässt sich nicht rückgängig machen.',
  revoke: 'Alle Links widerrufen',
  revokeEllipsis: 'Alle Links widerrufen …',
  revokeHint:
    'Alle bisher weitergegebenen Links zu diesem Foto werden ungültig. Bereits gespeicherte Kopien lassen sich nicht zurückholen.',
  revoked: 'Alle bisher weitergegebenen Links sind jetzt ungültig.',
  notRevoked: 'Die Links konnten nicht widerrufen werden.',

  viewer: 'Fotoansicht',
  close: 'Schließen',
  zoom: 'Zoom',
  previous: 'Vorheriges Foto',
  next: 'Nächstes Foto',
  details: 'Details',
  title: 'Titel',
  titleHint: 'Titel hinzufügen',
  description: 'Beschreibung',
  descriptionHint: 'Beschreibung hinzufügen',
  saved: 'Gespeichert.',
  notSaved: 'Nicht gespeichert:',
  takenAt: 'Aufgenommen',
  unknownDate: 'Unbekannt',
  changeDate: 'Ändern',
  keepsOffset: (offset) => `In der Zeitzone der Kamera, ${offset}.`,
  restoreDate: 'Ursprüngliches Datum wiederherstellen',
  dateSources: {
    exif: '',
    xmp: '',
    filename: 'Aus dem Dateinamen',
    file: 'Aus dem Datum der Datei',
    user: 'Von Hand geändert',
  },
  save: 'Speichern',
  addedAt: 'Hinzugefügt',
  cameraModel: 'Kamera',
  dimensions: 'Größe',
  file: 'Datei',
  place: 'Aufnahmeort',
  placeInOriginal: 'In der Originaldatei enthalten',
  duration: 'Dauer',
  seconds: (number) => `${number} s`,
  download: 'Original herunterladen',
  delete: 'Löschen',
  share: 'Link kopieren',
  shareOriginal: 'Link zum Original kopieren',
  shareHint: (until) => `Wer den Link hat, kann dieses Foto bis ${until} sehen.`,
  copied: (until) => `Kopiert. Der Link gilt bis ${until}.`,
  copiedOriginal: (until) => `Kopiert. Der Link zum Original gilt bis ${until}.`,
  notCopied: 'Der Browser hat das Kopieren nicht erlaubt. Der Link steht in diesem Feld.',
  location: 'Die Originaldatei enthält den Aufnahmeort, und wer den Link hat, kann ihn auslesen.',
  notDisplayable: 'Manche Browser zeigen das Original nicht richtig an.',
  copyAnywayQuestion: 'Den Link trotzdem kopieren?',
  copyAnyway: 'Trotzdem kopieren',
  cancel: 'Abbrechen',
  photoNotLoaded: 'Dieses Foto konnte nicht geladen werden.',

  uploads: 'Hochladen',
  adding: (finished, all) =>
    `Fotos werden hinzugefügt: ${formatInteger(finished)} von ${formatInteger(all)}`,
  added: (number) => `${photoCount(number)} hinzugefügt`,
  present: (number) => `${formatInteger(number)} schon vorhanden`,
  refused: (number) => `${formatInteger(number)} abgelehnt`,
  showRecent: 'Neu hinzugefügte anzeigen',
  interrupted: (number) =>
    number === 1
      ? 'Ein Upload wurde unterbrochen. Das Foto noch einmal hinzufügen, um fortzufahren.'
      : `${formatInteger(number)} Uploads wurden unterbrochen. Die Fotos noch einmal hinzufügen; was schon angekommen ist, wird nicht erneut gesendet.`,
  chooseFiles: 'Fotos auswählen',
  notAdded: (number) => `${formatInteger(number)} nicht hinzugefügt`,
  noneAdded: 'Keine Fotos hinzugefügt',
  leftOut: (number) =>
    number === 1
      ? '1 Datei ist kein Foto und wurde ausgelassen.'
      : `${formatInteger(number)} Dateien sind keine Fotos und wurden ausgelassen.`,
  hideList: 'Liste ausblenden',
  showList: 'Liste anzeigen',
  pause: 'Anhalten',
  resume: 'Fortsetzen',
  cancelAll: 'Alle abbrechen',
  actionOn: (action, file) => `${action}: ${file}`,
  waiting: 'Wartet',
  reserving: 'Wird vorbereitet',
  sending: 'Wird gesendet',
  paused: 'Angehalten',
  stalled: 'Wartet auf das Netz',
  checking: 'Wird geprüft',
  done: 'Hinzugefügt',
  duplicate: 'Dieses Foto ist schon vorhanden',
  storeUnreachable: 'Der Fotospeicher ist nicht erreichbar. Bitte die Verbindung prüfen.',

  selection: 'Ausgewählte Fotos',
  select: (photo) => `${photo} auswählen`,
  selected: (number) => `${photoCount(number)} ausgewählt`,
  selecting: (number) => `Auswahl läuft: bisher ${photoCount(number)}`,
  selectionKeys: 'M führt zu den Aktionen, Escape beendet die Auswahl.',
  endSelection: 'Auswahl beenden',
  working: (finished, all) => `${finished} von ${all} …`,
  confirm: (action, number) => `${photoCount(number)} ${lowerFirst(action)}?`,
  deletedMany: (number) => `${photoCount(number)} gelöscht.`,
  deletedForGoodMany: (number) => `${photoCount(number)} endgültig gelöscht.`,
  restoredMany: (number) => `${photoCount(number)} wiederhergestellt.`,
  notRestoredMany: (number) => `${photoCount(number)} ${couldNot(number, 'wiederhergestellt')}.`,
  notDeletedMany: (number) => `${photoCount(number)} ${couldNot(number, 'gelöscht')}.`,
  downloadMany: 'Herunterladen',
  downloading: (number) =>
    `${photoCount(number)} ${number === 1 ? 'wird' : 'werden'} heruntergeladen.`,
  notDownloaded: (number) => `${photoCount(number)} ${couldNot(number, 'heruntergeladen')}.`,
  changeDates: 'Datum ändern',
  changeDatesOf: (number) => `Datum von ${photoCount(number)}`,
  setDate: 'Neues Datum',
  shiftDate: 'Verschieben',
  newDate: 'Datum und Uhrzeit',
  hours: 'Stunden, etwa 2 oder −1,5',
  datesChanged: (number) => `Datum von ${photoCount(number)} geändert.`,
  datesNotChanged: (number) => `Das Datum von ${photoCount(number)} konnte nicht geändert werden.`,
}
