import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A target on the JVM: threads in sleep below deep below work, and a known number of Markers on the heap. */
final class JavaTarget {
    private static final CountDownLatch NEVER = new CountDownLatch(1);
    private static final List<Marker> MARKERS = new ArrayList<>();
    private static volatile long beats;

    /** An object that a heap histogram counts; its number says which one it is. */
    private record Marker(int number) {}

    public static void main(String[] arguments) throws Exception {
        int threads = number(arguments, "--threads", 4);
        int markers = number(arguments, "--markers", 1234);
        for (int i = 0; i < markers; i++) {
            MARKERS.add(new Marker(i));
        }
        CountDownLatch started = new CountDownLatch(threads);
        for (int i = 0; i < threads; i++) {
            start("work-" + i, () -> work(started));
        }
        start("beat", JavaTarget::beat);
        started.await();
        System.out.printf("READY pid=%d threads=%d markers=%d%n", ProcessHandle.current().pid(), threads, markers);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null && !line.equals("exit"); line = commands.readLine()) {
            System.out.println(line.equals("check") ? check(markers) : "BAD unknown command " + line);
        }
        System.exit(0);
    }

    private static String check(int markers) {
        long before = beats;
        while (beats == before) {
            Thread.onSpinWait();
        }
        System.gc();
        int whole = 0;
        for (int i = 0; i < MARKERS.size(); i++) {
            whole += MARKERS.get(i).number() == i ? 1 : 0;
        }
        return (whole == markers ? "OK" : "BAD") + " markers=" + whole;
    }

    // The names of the three are what the tests look for in a core.
    private static void work(CountDownLatch started) {
        deep(started);
    }

    private static void deep(CountDownLatch started) {
        started.countDown();
        sleep();
    }

    private static void sleep() {
        try {
            NEVER.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void beat() {
        try {
            while (!NEVER.await(1, java.util.concurrent.TimeUnit.MILLISECONDS)) {
                beats++;
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void start(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static int number(String[] arguments, String name, int otherwise) {
        int at = List.of(arguments).indexOf(name);
        return at < 0 ? otherwise : Integer.parseInt(arguments[at + 1]);
    }
}
