import { bootstrap } from './bootstrap'
import { texts } from './texts-later'

// The element that had the focus is gone from the page.
const focus = (input: HTMLInputElement | null) => input?.focus()

/** Replaces the gallery when the session has ended. */
export function SignIn() {
  return (
    <main class="sign-in">
      <form method="post" action={`${bootstrap.root}/sign-in`}>
        <h1>{texts.signIn}</h1>
        <p class="muted" id="where">
          {texts.sessionEnded}
        </p>
        <label for="token">{texts.token}</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          aria-describedby="where"
          ref={focus}
        />
        <button type="submit" class="primary">
          {texts.signIn}
        </button>
      </form>
    </main>
  )
}
