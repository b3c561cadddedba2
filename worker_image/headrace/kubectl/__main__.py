from headrace.kubectl import main

main()
