import { house } from './house'
import { texts } from './texts'

/** What had the focus is gone. */
const focus = (input: HTMLInputElement | null) => input?.focus()

/** What the sign-in page says, for whose session ended while the gallery was open. */
export function SignIn() {
  return (
    <main class="sign-in">
      <form method="post" action={`${house.root}/sign-in`}>
        <h1>{texts.signInTitle}</h1>
        <p class="soft" id="where">
          {texts.signInWhere}
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
        <button type="submit" class="main">
          {texts.signInTitle}
        </button>
      </form>
    </main>
  )
}
