import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

/** Something that is done only after a second look. */
export interface Question {
  readonly title: string
  readonly text: ComponentChildren
  /** What the button says: a verb. */
  readonly verb: string
  readonly isDangerous?: boolean
  /** Does it; what it throws is shown, and the dialog stays. Its text is what was done. */
  readonly run: () => Promise<string>
}

let show: (question: Question) => void = () => {}

/** Asks before something is done. */
export function confirmThen(question: Question): void {
  show(question)
}

/** The dialog of the page, and the line that says what was done. */
export function ConfirmPlace(): VNode {
  const dialog = useRef<HTMLDialogElement>(null)
  const [question, setQuestion] = useState<Question>()
  const [error, setError] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [done, setDone] = useState('')
  show = (asked) => {
    setError('')
    setQuestion(asked)
  }
  useEffect(() => {
    if (question !== undefined) dialog.current?.showModal()
  }, [question])
  useEffect(() => {
    if (done === '') return undefined
    const timer = setTimeout(() => setDone(''), 6000)
    return () => clearTimeout(timer)
  }, [done])
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (question === undefined || isBusy) return
    setBusy(true)
    try {
      const words = await question.run()
      dialog.current?.close()
      setDone(words)
    } catch (thrown) {
      setError((thrown as Error).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <dialog ref={dialog} class="confirm" aria-labelledby="confirm-title" onClose={() => setQuestion(undefined)}>
        {question !== undefined && (
          <form onSubmit={(event) => void submit(event)}>
            <h2 id="confirm-title">{question.title}</h2>
            <div class="confirm-text">{question.text}</div>
            {error !== '' && (
              <p class="error" role="alert">
                {error}
              </p>
            )}
            <div class="buttons">
              <button type="button" onClick={() => dialog.current?.close()}>
                Cancel
              </button>
              <button type="submit" class={question.isDangerous === true ? 'danger' : 'primary'} disabled={isBusy}>
                {question.verb}
              </button>
            </div>
          </form>
        )}
      </dialog>
      <div class={done === '' ? 'toast' : 'toast shown'} role="status">
        {done}
      </div>
    </>
  )
}
